"""How a source may be reached and kept: headers, secrets, bucket, and plates to be hashed.

A secret is written ``{secret:name}`` where it belongs and never stands in the city file itself.
Left out: where secrets come from (`settings.load_secrets`) and where they are put
(`sources.fetch`).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SECRET = re.compile(r"\{secret:([a-z][a-z0-9_]{0,60})\}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
OWN_HEADERS = frozenset(  # the fetcher says these itself
    {
        "accept-encoding", "connection", "content-length", "host", "if-modified-since",
        "if-none-match", "range", "te", "transfer-encoding", "upgrade",
    }
)  # fmt: skip


def secret_names(*templates: str) -> list[str]:
    """Names of the secrets that texts ask for, each once and in order."""
    return sorted({name for text in templates for name in SECRET.findall(text)})


def secret_variable(name: str) -> str:
    """Name of the environment variable that holds a secret."""
    return f"QALA_SECRET_{name.upper()}"


def _well_written(text: str) -> str:
    if "{secret" in SECRET.sub("", text):
        raise ValueError("a secret is written {secret:name}, its name in a-z, 0-9 and _")
    return text


Template = Annotated[str, AfterValidator(_well_written)]
"""Text that may name secrets, as in ``Bearer {secret:bus_feed}``."""


def _headers_that_may_be_said(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")
        if name.lower() in OWN_HEADERS:
            raise ValueError(f"{name} is said by the fetcher itself")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"{name} may hold printable ASCII alone")
    return headers


Headers = Annotated[dict[str, Template], AfterValidator(_headers_that_may_be_said)]


class S3Access(BaseModel):
    """`[sources.<name>.s3]`: where an ``s3:`` address lies, and the keys that open it.

    Without an endpoint it is Amazon's own of that region; without keys the bucket is public.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str = Field(default="", pattern=r"^(https?://[^/?#@\s]+/?)?$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    access_key_id: Template = ""
    secret_access_key: Template = ""

    @model_validator(mode="after")
    def _keys_together(self) -> S3Access:
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValueError("access_key_id and secret_access_key belong together")
        if self.secret_access_key and not SECRET.fullmatch(self.secret_access_key):
            raise ValueError("secret_access_key must name a secret: write {secret:name}")
        return self


class ClearPlates(BaseModel):
    """`[sources.<name>.plates]`: the column that holds plates in clear, and the key to hash them.

    The column is named as it is after `columns` of the source.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(min_length=1)
    key: Template

    @model_validator(mode="after")
    def _key_is_a_secret(self) -> ClearPlates:
        if not SECRET.fullmatch(self.key):
            raise ValueError("key must name a secret: write {secret:name}")
        return self
