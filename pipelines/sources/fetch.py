"""From an address to landed bytes. The only module that touches the network.

An address is a path, ``file:``, ``http(s):`` or ``sample:``; each yields one or more *objects*.
An object that is known and unchanged (by ETag, Last-Modified or its bytes) is not landed again.
What goes wrong becomes an outcome with its reason, so that one bad source is not a bad night.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx

from pipelines import sample
from pipelines.errors import SourceError, TransientSourceError
from pipelines.settings import Source
from pipelines.sources.landing import Landing, version_id

TIMEOUT = httpx.Timeout(60.0, connect=15.0)
TRIES = 3
FIRST_PAUSE_SECONDS = 0.5
MOST_REDIRECTS = 5
TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
ARCHIVES = frozenset({"zip", "almaty_metro"})  # formats whose folder is one object
USER_AGENT = "qala (nightly public transport figures)"


Screen = Callable[[str, bytes], object]


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
class _Candidate:
    """An object that a source lists, and how to read it."""

    name: str
    etag: str | None
    read: Callable[[], _Body]


@dataclass(frozen=True)
class _Body:
    payload: bytes | None  # None: the upstream says that what is known still holds
    etag: str | None = None
    last_modified: str | None = None


def fetch_source(
    source: Source,
    folder: Path,
    service_date: date,
    known: Mapping[str, Known],
    landing: Landing,
    *,
    screen: Screen | None = None,
) -> list[Fetched]:
    """Fetch every object that a source lists for a night.

    `folder` is where relative paths start (the city file's). `screen` sees an object's name and
    bytes before they are landed, and raises `SourceError` to refuse them. Never raises for a bad
    source: a listing that fails is one outcome with an empty object name.
    """
    try:
        candidates = list(_list_objects(source, folder, service_date, known))
    except SourceError as error:
        return [Fetched("", "failed", reason=str(error))]
    return [
        _attempt(candidate, known.get(candidate.name), landing, screen) for candidate in candidates
    ]


def _attempt(
    candidate: _Candidate, known: Known | None, landing: Landing, screen: Screen | None
) -> Fetched:
    started = time.monotonic()
    if known and candidate.etag and candidate.etag == known.etag and landing.has(known.sha256):
        return _unchanged(candidate.name, known, started)
    try:
        body = candidate.read()
        if body.payload is None and known:
            return _unchanged(candidate.name, known, started)
        payload = body.payload or b""
        if not payload:
            raise SourceError(f"{candidate.name} is empty.", "Ask its owner for the file.")
        if screen is not None:
            screen(candidate.name, payload)
        sha256 = landing.write(payload)
    except (SourceError, OSError) as error:
        return Fetched(
            candidate.name,
            "failed",
            reason=str(error),
            is_transient=isinstance(error, TransientSourceError),
            seconds=time.monotonic() - started,
        )
    same = known is not None and known.sha256 == sha256
    return Fetched(
        candidate.name,
        "unchanged" if same else "new",
        sha256=sha256,
        version_id=known.version_id if known and same else version_id(payload),
        size_bytes=len(payload),
        etag=candidate.etag or body.etag,
        last_modified=body.last_modified,
        seconds=time.monotonic() - started,
    )


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


def _list_objects(
    source: Source, folder: Path, service_date: date, known: Mapping[str, Known]
) -> Iterator[_Candidate]:
    scheme, _, rest = source.address.partition(":")
    if scheme == "sample":
        yield from _sample_objects(rest, service_date)
    elif scheme in ("http", "https"):
        yield from _http_objects(source, service_date, known)
    elif scheme == "file":
        yield from _path_objects(source, Path(unquote(urlsplit(source.address).path)))
    elif "://" in source.address:
        raise SourceError(
            f"Address {source.address!r} has the unknown scheme {scheme!r}.",
            "Use a path, file:, http:, https: or sample:.",
        )
    else:
        yield from _path_objects(source, folder / source.address)


def _sample_objects(product: str, service_date: date) -> Iterator[_Candidate]:
    if product not in sample.PRODUCTS:
        raise SourceError(
            f"The sample city has no product {product!r}.",
            f"It has: {', '.join(sample.PRODUCTS)}.",
        )
    for item in sample.list_objects(product, service_date):
        yield _Candidate(
            item.name,
            item.etag,
            lambda name=item.name: _Body(sample.make_object(product, name, service_date)),  # type: ignore[misc]  # binds the loop's name
        )


def _path_objects(source: Source, path: Path) -> Iterator[_Candidate]:
    if "*" in str(path):
        files = sorted(file for file in _glob(path) if file.is_file())
    elif path.is_dir() and source.format in ARCHIVES:
        yield _Candidate(path.name, None, lambda: _Body(_zip_folder(path, source)))
        return
    elif path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix == f".{source.format}")
    elif path.is_file():
        files = [path]
    else:
        raise SourceError(f"{path} does not exist.", "Check `address` in the city file.")
    if not files:
        raise SourceError(f"{path} holds no file.", "Check `address` in the city file.")
    for file in files:
        yield _Candidate(file.name, None, lambda file=file: _Body(_read_file(file, source)))  # type: ignore[misc]  # binds the loop's file


def _glob(pattern: Path) -> Iterator[Path]:
    parts = pattern.parts
    first_wild = next(place for place, part in enumerate(parts) if "*" in part)
    return Path(*parts[:first_wild]).glob("/".join(parts[first_wild:]))


def _read_file(file: Path, source: Source) -> bytes:
    _check_size(file.stat().st_size, source, file.name)
    return file.read_bytes()


def _zip_folder(folder: Path, source: Source) -> bytes:
    """The files of a folder as one archive whose bytes depend on them alone."""
    buffer = io.BytesIO()
    total = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                total += file.stat().st_size
                _check_size(total, source, folder.name)
                archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())
    return buffer.getvalue()


def _http_objects(
    source: Source, service_date: date, known: Mapping[str, Known]
) -> Iterator[_Candidate]:
    if "{date}" in source.address:
        days = [service_date - timedelta(days=back) for back in reversed(range(source.days))]
        urls = [source.address.replace("{date}", day.isoformat()) for day in days]
    else:
        urls = [source.address]
    for url in urls:
        name = urlsplit(url).path.strip("/") or urlsplit(url).netloc
        yield _Candidate(
            name,
            None,
            lambda url=url, name=name: _get(url, known.get(name), source),  # type: ignore[misc]  # binds the loop's url
        )


def _get(url: str, known: Known | None, source: Source) -> _Body:
    headers = {"User-Agent": USER_AGENT}
    if known and known.etag:
        headers["If-None-Match"] = known.etag
    if known and known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, TRIES + 1):
        try:
            return _get_once(url, headers, source)
        except TransientSourceError:
            if attempt == TRIES:
                raise
            time.sleep(pause)
            pause *= 4
    raise TransientSourceError(f"{url} did not answer.", "Try again later.")


def _get_once(url: str, headers: Mapping[str, str], source: Source) -> _Body:
    try:
        with (
            httpx.Client(
                timeout=TIMEOUT, follow_redirects=True, max_redirects=MOST_REDIRECTS
            ) as client,
            client.stream("GET", url, headers=dict(headers)) as response,
        ):
            if response.status_code == 304:
                return _Body(None)
            if response.status_code in TRANSIENT_STATUS:
                raise TransientSourceError(
                    f"{url} answered {response.status_code}.", "Try again later."
                )
            if response.status_code != 200:
                raise SourceError(
                    f"{url} answered {response.status_code} {response.reason_phrase}.",
                    "Check `address` in the city file.",
                )
            payload = _read_body(response, source, url)
            headers_in = response.headers
            return _Body(payload, headers_in.get("etag"), headers_in.get("last-modified"))
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        cause = str(error) or type(error).__name__
        raise TransientSourceError(
            f"{url} can't be reached: {cause}.", "Check the address and the network."
        ) from error
    except httpx.InvalidURL as error:
        raise SourceError(f"{url!r} is no address: {error}.", "Check the city file.") from error


def _read_body(response: httpx.Response, source: Source, name: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        _check_size(size, source, name)
        parts.append(part)
    expected = response.headers.get("content-length")
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    if expected and not encoded and size != int(expected):
        raise TransientSourceError(
            f"{name} ended after {size:,} of {expected} bytes.", "Try again later."
        )
    return b"".join(parts)


def _check_size(size: int, source: Source, name: str) -> None:
    if size > source.max_megabytes * 1_000_000:
        raise SourceError(
            f"{name} is larger than {source.max_megabytes} MB.",
            "Raise `max_megabytes` of the source in the city file if that is right.",
        )
