"""One message to one channel: by mail, webhook or Telegram.

An address is the operator's own (a secret), so that a private one may be asked; redirects are not
followed, proxies of the environment are not used, and a mail server gets a password over TLS alone.
What goes wrong is told without any secret.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Mapping
from email.message import EmailMessage
from http import HTTPStatus
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from pipelines.access import SECRET
from pipelines.alert_channels import Channel, MailChannel, TelegramChannel
from pipelines.errors import AlertError

TELEGRAM = "https://api.telegram.org"
TELEGRAM_CHARACTERS = 4096  # of one message, by its interface
WAIT_SECONDS = 20.0
TRIES = 3
FIRST_PAUSE_SECONDS = 1.0
HIDDEN = "***"
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}

# They would tell whole addresses, tokens included, to whoever reads the log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def send(channel: Channel, secrets: Mapping[str, str], subject: str, body: str) -> None:
    """Send a message; what may pass is tried again. Raises `AlertError`, without secrets."""
    missing = [name for name in channel.secret_names if name not in secrets]
    if missing:
        raise AlertError(
            f"Alerts to {channel.name} lack the secret {missing[0]!r}.",
            "Make an Airflow connection of that name with it as the password, or set its variable.",
        )
    for attempt in range(TRIES):
        try:
            _hand_over(channel, secrets, subject, body)
        except (OSError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            reason = _redacted(f"{type(error).__name__}: {error}", secrets)  # SMTP's are OSErrors
        else:
            return
        if attempt + 1 < TRIES:
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
    raise AlertError(
        f"{channel.name} ({channel.by}) did not take an alert after {TRIES} tries: {reason}.",
        "Check its secrets and that it is up; the next look sends it again.",
    )


def _hand_over(channel: Channel, secrets: Mapping[str, str], subject: str, body: str) -> None:
    def filled(template: str) -> str:
        return SECRET.sub(lambda found: secrets[found[1]], template)

    if isinstance(channel, MailChannel):
        message = EmailMessage()
        message["From"] = filled(channel.sender)
        message["To"] = filled(channel.recipients)
        message["Subject"] = subject
        message.set_content(body)
        _mail(filled(channel.server), message)
    elif isinstance(channel, TelegramChannel):
        address = f"{TELEGRAM}/bot{filled(channel.token)}/sendMessage"
        text = f"{subject}\n\n{body}"[:TELEGRAM_CHARACTERS]
        _post(address, {"chat_id": filled(channel.chat), "text": text})
    else:
        _post(filled(channel.address), {"subject": subject, "text": body})


def _post(address: str, told: Mapping[str, str]) -> None:
    """POST a JSON object. Raises ValueError for any answer but a 2xx, and httpx' own errors."""
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=WAIT_SECONDS) as client:
        answer = client.post(address, json=told)
    if not answer.is_success:
        name = next((item.phrase for item in HTTPStatus if item == answer.status_code), "")
        raise ValueError(f"it answered {answer.status_code} {name}".strip())


def _mail(server: str, message: EmailMessage) -> None:
    """Hand a message to ``smtp://`` (TLS where it is offered) or ``smtps://``."""
    url = urlsplit(server)
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise ValueError("a mail server is written smtps://user:password@host:465")
    port = url.port or DEFAULT_PORTS[url.scheme]
    tls = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(url.hostname, port, timeout=WAIT_SECONDS, context=tls)
        if url.scheme == "smtps"
        else smtplib.SMTP(url.hostname, port, timeout=WAIT_SECONDS)
    ) as connection:
        is_sealed = url.scheme == "smtps"
        connection.ehlo()
        if not is_sealed and connection.has_extn("starttls"):
            connection.starttls(context=tls)
            is_sealed = True
        _log_in(connection, url, is_sealed=is_sealed)
        connection.send_message(message)


def _log_in(connection: smtplib.SMTP, url: SplitResult, *, is_sealed: bool) -> None:
    if not url.username:
        return
    if not is_sealed:
        raise ValueError("the server offers no TLS, and no password goes out without it")
    connection.login(unquote(url.username), unquote(url.password or ""))


def _redacted(text: str, secrets: Mapping[str, str]) -> str:
    """A reason without secrets, nor the host, user or path inside of one that is an address."""
    parts = set(secrets.values())
    for value in secrets.values():
        try:
            url = urlsplit(value)
        except ValueError:
            continue
        parts |= {url.path, url.query, url.username or "", url.password or ""} - {"", "/"}
        parts |= {unquote(url.username or ""), unquote(url.password or "")} - {""}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text
