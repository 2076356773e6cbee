"""Addresses with ``http:`` and ``https:``: conditional requests, redirects, headers with keys.

Each redirect is followed by hand, so that each machine on the way is checked. What the city file
says in `headers`, or as user and password in the address, goes to the machine that the address
names and to no other: once a redirect leads away it is not said again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from urllib.parse import urlsplit

import httpx

from pipelines.city_file import Source
from pipelines.errors import SourceError
from pipelines.sources.fetch.credentials import Secrets, shown
from pipelines.sources.fetch.deadline import Deadline
from pipelines.sources.fetch.exchange import Answer, ask, check_status
from pipelines.sources.fetch.objects import Body, Candidate, Known, dated_addresses

MOST_REDIRECTS = 5
REDIRECT_STATUS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304
DEFAULT_PORTS = {"http": 80, "https": 443}
CHECK_ADDRESS = "Check `address` in the city file."


def list_web_objects(source: Source, service_date: date, secrets: Secrets) -> Iterator[Candidate]:
    """The object at an address, or one for each day; nothing is asked yet."""
    for address in dated_addresses(source, service_date):
        yield Candidate(
            _object_name(address, source),
            partial(get_object, secrets.fill_address(address), source, secrets),
        )


def get_object(
    address: str, source: Source, secrets: Secrets, known: Known | None, deadline: Deadline
) -> Body:
    """GET an object unless what is known of it still holds.

    Raises `SourceError`, and `TransientSourceError` where trying again may help.
    """
    url = _parsed(address)
    mine = {name: secrets.fill(value) for name, value in source.headers.items()}
    mine |= _basic_authorization(url)
    start = url
    for _ in range(MOST_REDIRECTS + 1):
        with ask(url, {**mine, **_conditions(known)}, source, deadline) as answer:
            if answer.status not in REDIRECT_STATUS:
                return _body(answer, known, source.max_megabytes)
            target = _redirect_target(url, answer, source)
        if not _is_same_machine(url, target):
            mine = {}
        url = target
    raise SourceError(
        f"{shown(str(start))} is redirected more than {MOST_REDIRECTS} times.", CHECK_ADDRESS
    )


def _body(answer: Answer, known: Known | None, max_megabytes: int) -> Body:
    """The bytes, or none where validators say that they are those that are known."""
    etag, last_modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    if answer.status == NOT_MODIFIED and known is not None:
        return Body(None)
    check_status(answer, CHECK_ADDRESS)
    if known is not None and etag and etag == known.etag and not etag.startswith("W/"):
        return Body(None)
    return Body(answer.read(max_megabytes), etag, last_modified)


def _conditions(known: Known | None) -> dict[str, str]:
    conditions: dict[str, str] = {}
    if known is not None and known.etag:
        conditions["If-None-Match"] = known.etag
    if known is not None and known.last_modified:
        conditions["If-Modified-Since"] = known.last_modified
    return conditions


def _redirect_target(url: httpx.URL, answer: Answer, source: Source) -> httpx.URL:
    """Where an answer leads, without user and password. Raises `SourceError` for no such place."""
    location = answer.headers.get("location", "")
    if not location:
        raise SourceError(f"{answer.address} redirects to nowhere.", CHECK_ADDRESS)
    try:
        target = url.join(_utf8(location)).copy_with(userinfo=b"", fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceError(
            f"{answer.address} redirects to what is no address.", CHECK_ADDRESS
        ) from error
    where = f"{answer.address} redirects to {shown(str(target))}"
    if target.scheme not in DEFAULT_PORTS or not target.host:
        raise SourceError(
            f"{where}; only http: and https: are followed.", "Tell the owner of the address."
        )
    if url.scheme == "https" and target.scheme == "http" and not source.allow_http:
        raise SourceError(
            f"{where}, from https: to http:.",
            "If that is right, set `allow_http = true` for the source in the city file.",
        )
    return target


def _is_same_machine(url: httpx.URL, target: httpx.URL) -> bool:
    """Whether keys may still be said: same host and port, or the same host's https: for http:."""
    if url.host != target.host:
        return False
    if (url.scheme, target.scheme) == ("http", "https"):
        return _port(url) == DEFAULT_PORTS["http"] and _port(target) == DEFAULT_PORTS["https"]
    return url.scheme == target.scheme and _port(url) == _port(target)


def _port(url: httpx.URL) -> int:
    return url.port or DEFAULT_PORTS[url.scheme]


def _basic_authorization(url: httpx.URL) -> Mapping[str, str]:
    if not url.userinfo:
        return {}
    return {
        "Authorization": f"Basic {b64encode(f'{url.username}:{url.password}'.encode()).decode()}"
    }


def _parsed(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise SourceError(f"{shown(address)!r} is no address: {error}.", CHECK_ADDRESS) from error
    if not url.host:
        raise SourceError(f"{shown(address)!r} names no machine.", CHECK_ADDRESS)
    return url


def _utf8(header: str) -> str:
    """A header as UTF-8 where it is that, which the standard does not promise."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def _object_name(address: str, source: Source) -> str:
    """The path; with the query where days differ in that alone."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise SourceError(f"{shown(address)!r} is no address: {error}.", CHECK_ADDRESS) from error
    name = parts.path.strip("/") or parts.netloc.rpartition("@")[2]
    if "{date}" in urlsplit(source.address).query:
        template = urlsplit(source.address).query.split("&")
        dated = [
            day
            for day, written in zip(parts.query.split("&"), template, strict=True)
            if "{date}" in written
        ]
        name += "?" + "&".join(dated)
    return name
