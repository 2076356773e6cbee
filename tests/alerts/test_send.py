"""Messages arrive by each way; what fails is tried again and told without a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pipelines.alert_channels import Channel, Channels
from pipelines.alerts import send as sending
from pipelines.alerts.send import send
from pipelines.city_file import load_city
from pipelines.errors import AlertError, SettingsError
from tests.alerts.receivers import Hook, Mailbox, serving
from tests.toy_city import CITY, write_toy_city

MAIL = {
    "name": "analysts", "by": "mail", "server": "{secret:server}", "sender": "{secret:sender}",
    "recipients": "{secret:people}",
}  # fmt: skip
WEBHOOK = {"name": "room", "by": "webhook", "address": "{secret:hook}"}
TELEGRAM = {"name": "duty", "by": "telegram", "token": "{secret:token}", "chat": "{secret:chat}"}
TOKEN = "7461:AAHtopsecret"  # noqa: S105  # made up


def channel(told: dict[str, Any]) -> Channel:
    made: Channel = TypeAdapter(Channel).validate_python(told)
    return made


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.0)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serving(Mailbox()) as server:
        yield server


def mail_secrets(mailbox: Mailbox, user: str = "") -> dict[str, str]:
    server = f"smtp://{user}127.0.0.1:{mailbox.server_address[1]}"
    return {"server": server, "sender": "qala@toy.org", "people": "a@toy.org, b@toy.org"}


def test_mail_arrives_and_a_busy_server_is_asked_again(mailbox: Mailbox) -> None:
    mailbox.refusals = 2
    send(channel(MAIL), mail_secrets(mailbox), "Алматы: late", "Since 07:00.\n.dot")
    [mail] = mailbox.mails
    assert "To: a@toy.org, b@toy.org" in mail
    assert "Since 07:00.\r\n..dot" in mail


def test_no_password_goes_out_without_tls(mailbox: Mailbox) -> None:
    with pytest.raises(AlertError, match="no password goes out without it") as found:
        send(channel(MAIL), mail_secrets(mailbox, "bob:hush%20hush@"), "subject", "text")
    assert not mailbox.mails
    assert "hush" not in str(found.value)


def test_a_header_can_not_be_smuggled_in(mailbox: Mailbox) -> None:
    with pytest.raises(AlertError):
        send(channel(MAIL), mail_secrets(mailbox), "late\nBcc: eve@toy.org", "text")
    assert not mailbox.mails


def test_a_webhook_takes_json(hook: Hook) -> None:
    secrets = {"hook": f"http://127.0.0.1:{hook.server_port}/in?key=abc"}
    send(channel(WEBHOOK), secrets, "Toytown: late", "text")
    assert hook.posts == [("/in?key=abc", {"subject": "Toytown: late", "text": "text"})]


def test_telegram_gets_one_message_of_its_size(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TELEGRAM", f"http://127.0.0.1:{hook.server_port}")
    send(channel(TELEGRAM), {"token": TOKEN, "chat": "-100"}, "late", "x" * 9000)
    [(path, told)] = hook.posts
    assert path == f"/bot{TOKEN}/sendMessage"
    assert told["chat_id"] == "-100"
    assert len(told["text"]) == 4096


@pytest.mark.parametrize("status", [302, 401, 500])
def test_any_other_answer_is_a_failure_without_secrets(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    hook.status = status
    monkeypatch.setattr(sending, "TELEGRAM", f"http://127.0.0.1:{hook.server_port}")
    with caplog.at_level(logging.DEBUG), pytest.raises(AlertError, match=str(status)) as found:
        send(channel(TELEGRAM), {"token": TOKEN, "chat": "-100"}, "late", "text")
    assert len(hook.posts) == 3  # tried three times, and a redirect not followed
    assert TOKEN not in str(found.value) + caplog.text


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/hush", "ftp://hush", "hush\n", "http://["])
def test_an_address_that_is_none_is_a_failure_in_words(address: str) -> None:
    with pytest.raises(AlertError, match="did not take an alert") as found:
        send(channel(WEBHOOK), {"hook": address}, "late", "text")
    assert "hush" not in str(found.value)


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(AlertError, match="lack the secret 'hook'"):
        send(channel(WEBHOOK), {}, "late", "text")


ALERTS = """
[[alerts]]
name = "duty"
by = "telegram"
token = "{secret:token}"
chat = "{secret:chat}"
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{secret:token}", TOKEN, "it must name a secret: write {secret:name}"),
        ("chat =", "chats =", "did you mean `chat`"),
        ("", "", ""),
        ('by = "telegram"', 'by = "pigeon"', "pigeon"),
    ],
)
def test_the_city_file_names_secrets_and_holds_none(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = write_toy_city(tmp_path, city=CITY + ALERTS.replace(before, after))
    if not said:
        assert load_city(path).alerts[0].secret_names == ["chat", "token"]
        return
    with pytest.raises(SettingsError) as found:
        load_city(path)
    assert said in str(found.value)
    assert TOKEN not in str(found.value)


def test_two_channels_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two channels of alerts named 'room'"):
        TypeAdapter(Channels).validate_python([WEBHOOK, WEBHOOK])
