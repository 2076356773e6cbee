"""Where alerts go, as a city file says it: mail, a webhook, a Telegram chat.

    [[alerts]]
    name = "duty"
    by = "telegram"
    kinds = ["late_night", "failed_night"]      # none: all kinds
    token = "{secret:telegram_token}"
    chat = "{secret:telegram_chat}"

    [[alerts]]
    name = "analysts"
    by = "mail"
    kinds = ["stale_source", "quality_warning"]
    server = "{secret:mail_server}"             # smtps://user:password@host:465 or smtp://host:25
    sender = "{secret:mail_sender}"
    recipients = "{secret:analysts_mail}"       # a comma between two

    [[alerts]]
    name = "operations room"
    by = "webhook"
    address = "{secret:operations_webhook}"

Addresses and tokens are secrets: the city file only names them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipelines.access import SECRET, secret_names
from pipelines.alert_kinds import NAMES


def _named(text: str) -> str:
    if not SECRET.fullmatch(text):
        raise ValueError("it must name a secret: write {secret:name}")
    return text


Named = Annotated[str, AfterValidator(_named)]


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9 _-]{1,40}$")
    kinds: tuple[Literal[NAMES], ...] = ()  # type: ignore[valid-type]  # one list of names

    def wants(self, kind: str) -> bool:
        """Whether alerts of a kind go here."""
        return not self.kinds or kind in self.kinds

    @property
    def secret_names(self) -> list[str]:
        """Names of the secrets without which nothing can be sent here."""
        told = self.model_dump(exclude={"name", "kinds", "by"})
        return secret_names(*told.values())


class MailChannel(_Channel):
    """A mail server and those who get mail."""

    by: Literal["mail"]
    server: Named
    sender: Named
    recipients: Named


class WebhookChannel(_Channel):
    """An address that takes a JSON object by POST."""

    by: Literal["webhook"]
    address: Named


class TelegramChannel(_Channel):
    """A bot's token and the chat that it writes to."""

    by: Literal["telegram"]
    token: Named
    chat: Named


Channel = Annotated[MailChannel | WebhookChannel | TelegramChannel, Field(discriminator="by")]


def _names_differ(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    names = [channel.name for channel in channels]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"there are two channels of alerts named {repeated[0]!r}")
    return channels


Channels = Annotated[tuple[Channel, ...], AfterValidator(_names_differ)]
