"""One GET: one question to one checked machine, and its answer within time and size.

The body is taken as it was sent or gunzipped, and counted while it grows: neither a server that
drips, nor one that never ends, nor a small body that unpacks to a large one gets past its limit.
Redirects are answers here: who asks decides where to go next.
"""

from __future__ import annotations

import logging
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus

import httpcore
import httpx

from pipelines.city_file import Source
from pipelines.errors import SourceError, TransientSourceError
from pipelines.sources.fetch.credentials import shown
from pipelines.sources.fetch.deadline import Deadline
from pipelines.sources.fetch.guard import GuardedNetwork
from pipelines.sources.fetch.objects import BYTES_A_MEGABYTE, check_size
from pipelines.sources.fetch.retries import LONGEST_PAUSE_SECONDS, BusyError

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0
USER_AGENT = "qala (nightly public transport figures)"
TRANSIENT_STATUS = frozenset({408, 425, 429})  # and every 5xx
CAUSE_WIDTH = 200  # a server's own words are cut here
GZIP_WINDOW = zlib.MAX_WBITS | 16

# They would tell whole addresses, keys included, to whoever reads the log.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Answer:
    """The head of an answer, header names in lower case, and how to read its body."""

    address: str  # as people may see it
    status: int
    headers: Mapping[str, str]
    read: Callable[[int], bytes]  # the body, of at most so many megabytes


@contextmanager
def ask(
    url: httpx.URL, headers: Mapping[str, str], source: Source, deadline: Deadline
) -> Iterator[Answer]:
    """GET an address, without following redirects. The body can be read inside the context.

    Raises `TransientSourceError` where nobody answers, or the answer breaks off, or takes longer
    than the deadline; `SourceError` where the machine may not be asked or can't prove its name.
    """
    address = shown(str(url))
    told = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"}
    told = {name: told[name] for name in told if name.lower() not in _lower(headers)}
    told |= headers
    seconds = {"connect": CONNECT_SECONDS, "read": READ_SECONDS, "write": READ_SECONDS}
    with _errors_in_words(address, deadline), httpcore.ConnectionPool(
        ssl_context=_tls(),
        network_backend=GuardedNetwork(deadline, allow_private=source.allow_private),
    ) as pool, pool.stream(
        "GET",
        httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=[(name.encode(), text.encode("latin-1")) for name, text in told.items()],
        extensions={"timeout": seconds},
    ) as response:  # fmt: skip
        names = {name.decode().lower(): text.decode("latin-1") for name, text in response.headers}
        yield Answer(
            address,
            response.status,
            names,
            lambda most: _read(response.iter_stream(), names, address, most),
        )


def check_status(answer: Answer, remedy: str) -> None:
    """Raises `SourceError` for any answer that does not bring the object."""
    if answer.status == HTTPStatus.OK:
        return
    name = next((item.phrase for item in HTTPStatus if item == answer.status), "")
    said = f"{answer.address} answered {answer.status} {name}".strip()
    if answer.status in TRANSIENT_STATUS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        pause = _retry_after_seconds(answer.headers.get("retry-after", ""))
        wish = f", and wants {pause:,.0f} s of rest" if pause > LONGEST_PAUSE_SECONDS else ""
        error = BusyError(f"{said}{wish}.", "Try again later.")
        error.pause_seconds = pause
        raise error
    raise SourceError(f"{said}.", remedy)


def _read(
    parts: Iterator[bytes], headers: Mapping[str, str], address: str, max_megabytes: int
) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal():
        check_size(int(announced), max_megabytes, address)
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("gzip", "x-gzip"):
        parts = _gunzipped(parts, max_megabytes * BYTES_A_MEGABYTE + 1, address)
    elif coding not in ("", "identity"):
        raise SourceError(
            f"{address} is packed as {coding[:20]!r}, which nobody asked for.",
            "Ask its owner to send it plain or as gzip.",
        )
    body = bytearray()
    for part in parts:
        body += part
        check_size(len(body), max_megabytes, address)
    return bytes(body)


def _gunzipped(parts: Iterator[bytes], most: int, address: str) -> Iterator[bytes]:
    """Unpack piece by piece, at most `most` bytes at once; gzip members may follow each other."""
    unpacking = zlib.decompressobj(GZIP_WINDOW)
    started = False
    try:
        for part in parts:
            rest = part
            while rest:
                if unpacking.eof:
                    rest = rest.lstrip(b"\0")  # padding after the last member
                    if not rest:
                        break
                    unpacking = zlib.decompressobj(GZIP_WINDOW)
                yield unpacking.decompress(rest, most)
                rest = unpacking.unconsumed_tail or unpacking.unused_data
                started = True
    except zlib.error as error:
        raise TransientSourceError(
            f"{address} arrived damaged ({error}).", "Try again later."
        ) from error
    if started and not unpacking.eof:
        raise TransientSourceError(
            f"{address} broke off while it was unpacked.", "Try again later."
        )


@contextmanager
def _errors_in_words(address: str, deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        deadline.check()
        raise TransientSourceError(
            f"{address} can't be reached: no answer in time.", "Check the address and the network."
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        if _is_distrust(error):
            raise SourceError(
                f"{address} can't prove that it is {httpx.URL(address).host}: {_cause(error)}.",
                "Ask its owner to renew the certificate, or trust its issuer on this machine.",
            ) from error
        if isinstance(error, httpcore.ConnectError):
            raise TransientSourceError(
                f"{address} can't be reached: {_cause(error)}.",
                "Check the address and the network.",
            ) from error
        raise TransientSourceError(
            f"{address} broke off: {_cause(error)}.", "Try again later."
        ) from error


def _is_distrust(error: Exception) -> bool:
    # httpcore's errors hold what they stand for; their cause is lost on the way.
    return any(isinstance(part, ssl.SSLCertVerificationError) for part in error.args)


def _cause(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:CAUSE_WIDTH].rstrip(".")


def _lower(headers: Mapping[str, str]) -> set[str]:
    return {name.lower() for name in headers}


def _retry_after_seconds(value: str) -> float:
    """The pause that a server asks for, in seconds or until a moment; 0 where it asks for none."""
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


@cache
def _tls() -> ssl.SSLContext:
    """The machine's trusted issuers beside certifi's."""
    return httpcore.default_ssl_context()
