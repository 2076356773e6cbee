"""From an address to landed bytes. The only package that touches the network.

An address is a path, ``file:``, ``http(s):``, ``s3:`` or ``sample:``; each yields one or more
*objects*. An object that is known and unchanged (by ETag, Last-Modified or its bytes) is not landed
again. What may pass is tried again; what goes wrong becomes an outcome with its reason, so that one
bad source is not a bad night. No secret is in any outcome.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pipelines.city_file import Source
from pipelines.errors import SourceError, TransientSourceError
from pipelines.sources.fetch.credentials import Secrets, find_secrets, shown
from pipelines.sources.fetch.deadline import Deadline
from pipelines.sources.fetch.gate import Gate
from pipelines.sources.fetch.local import list_path_objects, list_sample_objects
from pipelines.sources.fetch.objects import Candidate, Fetched, Known
from pipelines.sources.fetch.retries import persist
from pipelines.sources.fetch.s3 import list_s3_objects
from pipelines.sources.fetch.web import list_web_objects
from pipelines.sources.landing import Landing, version_id

__all__ = ["Fetched", "Gate", "Known", "Secrets", "fetch_source"]

Result = TypeVar("Result")


def fetch_source(
    source: Source,
    folder: Path,
    service_date: date,
    known: Mapping[str, Known],
    landing: Landing,
    *,
    open_gate: Callable[[Secrets], Gate] = lambda _: Gate(),
    connections: Mapping[str, str] | None = None,
    failed_try: Callable[[Fetched], None] = lambda _: None,
) -> list[Fetched]:
    """Fetch every object that a source lists for a night.

    `folder` is where relative paths start (the city file's). `open_gate` is given the
    source's secrets for the gate that every object passes before it is landed. `connections` are
    secrets that the caller has found, by name; others come from the environment. `failed_try` is
    told of every try that failed and was followed by another. Never raises for a bad source: a
    listing that fails is one outcome with an empty object name.
    """
    try:
        secrets = find_secrets(source, connections or {})
        gate = open_gate(secrets)
    except SourceError as error:
        return [Fetched("", "failed", reason=str(error))]
    visit = _Visit(source, landing, gate, secrets, failed_try)
    here = {name: item for name, item in known.items() if landing.has(item.sha256)}
    try:
        candidates = visit.list_objects(folder, service_date)
    except (SourceError, OSError) as error:
        return [visit.failure("", error, time.monotonic())]
    return [visit.attempt(candidate, here.get(candidate.name)) for candidate in candidates]


@dataclass(frozen=True)
class _Visit:
    """One night's visit to a source."""

    source: Source
    landing: Landing
    gate: Gate
    secrets: Secrets
    failed_try: Callable[[Fetched], None]

    def list_objects(self, folder: Path, service_date: date) -> list[Candidate]:
        """What the source lists. Raises `SourceError`."""
        deadline = Deadline.after(self.source.max_minutes, "The listing")
        return self._persist(
            "", deadline, lambda: list(self._candidates(folder, service_date, deadline))
        )

    def _candidates(
        self, folder: Path, service_date: date, deadline: Deadline
    ) -> Iterator[Candidate]:
        address = self.source.address
        scheme, _, rest = address.partition(":")
        if scheme == "sample":
            return list_sample_objects(rest, service_date)
        if scheme in ("http", "https"):
            return list_web_objects(self.source, service_date, self.secrets)
        if scheme == "s3":
            return list_s3_objects(self.source, service_date, self.secrets, deadline)
        if scheme == "file":
            return list_path_objects(self.source, Path(unquote(urlsplit(address).path)))
        if "://" in address:
            raise SourceError(
                f"Address {shown(address)!r} has the unknown scheme {scheme!r}.",
                "Use a path, file:, http:, https:, s3: or sample:.",
            )
        return list_path_objects(self.source, folder / address)

    def attempt(self, candidate: Candidate, known: Known | None) -> Fetched:
        """Read one object and land it; what goes wrong is the outcome."""
        started = time.monotonic()
        deadline = Deadline.after(self.source.max_minutes, candidate.name)
        told = self.gate.recalled(known)
        if known is not None and told and candidate.etag and candidate.etag == told.etag:
            return _unchanged(candidate.name, known, started)
        try:
            body = self._persist(candidate.name, deadline, lambda: candidate.read(told, deadline))
            if body.payload is None and known is not None:
                return _unchanged(candidate.name, known, started)
            payload = body.payload or b""
            if not payload:
                raise SourceError(f"{candidate.name} is empty.", "Ask its owner for the file.")
            payload = self.gate.let_in(candidate.name, payload)
            sha256 = self.landing.write(payload)
        except (SourceError, OSError) as error:
            return self.failure(candidate.name, error, started)
        same = known is not None and known.sha256 == sha256
        return Fetched(
            candidate.name,
            "unchanged" if same else "new",
            sha256=sha256,
            version_id=known.version_id if known is not None and same else version_id(payload),
            size_bytes=len(payload),
            etag=self.gate.recorded(body.etag or candidate.etag),
            last_modified=body.last_modified,
            seconds=time.monotonic() - started,
        )

    def failure(self, name: str, error: Exception, started: float) -> Fetched:
        """The outcome of what went wrong, without any secret in its reason."""
        return Fetched(
            name,
            "failed",
            reason=self.secrets.redact(str(error)),
            is_transient=isinstance(error, TransientSourceError),
            seconds=time.monotonic() - started,
        )

    def _persist(self, name: str, deadline: Deadline, read: Callable[[], Result]) -> Result:
        started = time.monotonic()

        def tell(error: TransientSourceError) -> None:
            nonlocal started
            self.failed_try(self.failure(name, error, started))
            started = time.monotonic()

        return persist(read, deadline, tell)


def _unchanged(name: str, known: Known, started: float) -> Fetched:
    return Fetched(
        name,
        "unchanged",
        sha256=known.sha256,
        version_id=known.version_id,
        etag=known.etag,
        last_modified=known.last_modified,
        seconds=time.monotonic() - started,
    )
