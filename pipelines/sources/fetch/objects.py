"""What every way of fetching shares: an object that a source lists, its bytes, the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from pipelines.city_file import Source
from pipelines.errors import SourceError
from pipelines.sources.fetch.deadline import Deadline

BYTES_A_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Known:
    """What is known of an object from its last good fetch."""

    sha256: str
    version_id: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Fetched:
    """The outcome of one attempt at one object."""

    object_name: str
    outcome: str  # new, unchanged, failed
    reason: str = ""
    is_transient: bool = False
    sha256: str = ""
    version_id: str = ""
    size_bytes: int = 0
    etag: str | None = None
    last_modified: str | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """As JSON-able values."""
        return asdict(self)


@dataclass(frozen=True)
class Body:
    """What came of an object; without a payload the upstream says that what is known holds."""

    payload: bytes | None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class Candidate:
    """An object that a source lists, and how to read it; the ETag is the listing's."""

    name: str
    read: Callable[[Known | None, Deadline], Body]
    etag: str | None = None


def dated_addresses(source: Source, service_date: date) -> list[str]:
    """The address, or one for each of the last `days` days where it holds ``{date}``."""
    if "{date}" not in source.address:
        return [source.address]
    days = [service_date - timedelta(days=back) for back in reversed(range(source.days))]
    return [source.address.replace("{date}", day.isoformat()) for day in days]


def check_size(size: int, max_megabytes: int, name: str) -> None:
    """Raises `SourceError` for an object of more bytes than the city file allows."""
    if size > max_megabytes * BYTES_A_MEGABYTE:
        raise SourceError(
            f"{name} is larger than {max_megabytes} MB.",
            "Raise `max_megabytes` of the source in the city file if that is right.",
        )
