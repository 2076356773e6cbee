"""Addresses with ``s3:``: a key, a folder of a bucket, or a pattern, at Amazon or any endpoint.

A bucket is asked over the same guarded connection as every other address, by two questions of S3's
REST interface: ListObjectsV2 and GetObject. Each is signed by AWS Signature Version 4 where the
city file names keys. A listing tells ETags, so what is unchanged is not even asked for.

Left out: redirects (the answer to a wrong region) are not followed, roles and session tokens are
not asked for, and nothing is read from the environment or the cloud's metadata address.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from urllib.parse import quote
from xml.etree import ElementTree

import httpx

from pipelines.city_file import Source
from pipelines.errors import SourceError, TransientSourceError
from pipelines.sources.fetch.credentials import Secrets
from pipelines.sources.fetch.deadline import Deadline
from pipelines.sources.fetch.exchange import Answer, ask, check_status
from pipelines.sources.fetch.objects import Body, Candidate, Known, dated_addresses

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256().hexdigest()
UNRESERVED = "-_.~"
MOST_OBJECTS = 10_000
MOST_LISTING_MEGABYTES = 16  # a page tells at most 1,000 keys of at most 1,024 bytes
NOT_MODIFIED = 304
REDIRECT_STATUS = range(300, 400)
CHECK_BUCKET = "Check `address` and `s3` in the city file, and what its keys may read."


@dataclass(frozen=True)
class Bucket:
    """A bucket, where it lies, and the keys to it; without keys it is public."""

    endpoint: str
    name: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def url(self, key: str = "", query: tuple[tuple[str, str], ...] = ()) -> httpx.URL:
        """Address of a key, path style, quoted as signatures want it."""
        path = quote(f"/{self.name}/{key}" if key else f"/{self.name}", safe=f"/{UNRESERVED}")
        pairs = (f"{quote(n, safe=UNRESERVED)}={quote(v, safe=UNRESERVED)}" for n, v in query)
        address = self.endpoint + path + ("?" + "&".join(sorted(pairs)) if query else "")
        try:
            return httpx.URL(address)
        except httpx.InvalidURL as error:
            raise SourceError(
                f"{self.endpoint!r} is no endpoint: {error}.",
                "Check `s3.endpoint` in the city file.",
            ) from error

    def signed(self, url: httpx.URL, at: datetime) -> dict[str, str]:
        """Headers that sign a GET of an address (AWS Signature Version 4); none without keys."""
        if not self.secret_access_key:
            return {}
        moment, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
        path, _, query = url.raw_path.decode().partition("?")
        headers = {
            "host": url.netloc.decode(),
            "x-amz-content-sha256": EMPTY_SHA256,
            "x-amz-date": moment,
        }
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        names = ";".join(headers)
        request = f"GET\n{path}\n{query}\n{lines}\n{names}\n{EMPTY_SHA256}"
        scope = f"{day}/{self.region}/s3/aws4_request"
        to_sign = "\n".join(
            (ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest())
        )
        key = f"AWS4{self.secret_access_key}".encode()
        for part in (*scope.split("/"), to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"Credential={self.access_key_id}/{scope}"
        authorization = f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={key.hex()}"
        del headers["host"]  # it is said anyway
        return {**headers, "Authorization": authorization}


def list_s3_objects(
    source: Source, service_date: date, secrets: Secrets, deadline: Deadline
) -> Iterator[Candidate]:
    """The object of a key, or those of a folder or pattern, by listing them.

    Raises `SourceError`, and `TransientSourceError` where trying again may help.
    """
    for address in dated_addresses(source, service_date):
        name, _, key = address.removeprefix("s3://").partition("/")
        bucket = _bucket(name, source, secrets)
        if key and "*" not in key and not key.endswith("/"):
            yield Candidate(key, partial(_get, bucket, key, source))
            continue
        pattern = key if "*" in key else f"{key}*.{source.format}"
        found = _list(bucket, pattern, source, deadline)
        if not found:
            raise SourceError(f"{address} holds no object.", CHECK_BUCKET)
        for found_key, etag in sorted(found.items()):
            yield Candidate(found_key, partial(_get, bucket, found_key, source), etag)


def _bucket(name: str, source: Source, secrets: Secrets) -> Bucket:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", name):
        raise SourceError(
            f"{source.address!r} names no bucket.", "Write the address as s3://bucket/key."
        )
    endpoint = source.s3.endpoint.rstrip("/") or f"https://s3.{source.s3.region}.amazonaws.com"
    access_key_id = secrets.fill(source.s3.access_key_id)
    secret_access_key = secrets.fill(source.s3.secret_access_key)
    return Bucket(endpoint, name, source.s3.region, access_key_id, secret_access_key)


def _get(bucket: Bucket, key: str, source: Source, known: Known | None, deadline: Deadline) -> Body:
    url = bucket.url(key)
    headers = bucket.signed(url, datetime.now(UTC))
    if known is not None and known.etag:
        headers["If-None-Match"] = known.etag
    with ask(url, headers, source, deadline) as answer:
        if answer.status == NOT_MODIFIED and known is not None:
            return Body(None)
        _check(answer)
        etag = answer.headers.get("etag")
        if known is not None and etag and etag == known.etag:
            return Body(None)
        return Body(answer.read(source.max_megabytes), etag, answer.headers.get("last-modified"))


def _list(bucket: Bucket, pattern: str, source: Source, deadline: Deadline) -> dict[str, str]:
    """ETags by key of all objects that a pattern matches; ``*`` stays within its folder."""
    prefix = pattern.partition("*")[0]
    parts = (re.escape(part) for part in pattern.split("*"))
    matches = re.compile("[^/]*".join(parts)).fullmatch
    found: dict[str, str] = {}
    token = ""
    while True:
        query = (("list-type", "2"), ("prefix", prefix))
        page = _page(bucket, query + ((("continuation-token", token),) if token else ()),
                     source, deadline)  # fmt: skip
        for item in page.findall("{*}Contents"):
            key = item.findtext("{*}Key", "")
            if matches(key) and not key.endswith("/"):
                found[key] = item.findtext("{*}ETag", "")
        token = page.findtext("{*}NextContinuationToken", "")
        if len(found) > MOST_OBJECTS:
            raise SourceError(
                f"s3://{bucket.name}/{pattern} matches more than {MOST_OBJECTS:,} objects.",
                "Narrow the pattern.",
            )
        if page.findtext("{*}IsTruncated") != "true" or not token:
            return found


def _page(
    bucket: Bucket, query: tuple[tuple[str, str], ...], source: Source, deadline: Deadline
) -> ElementTree.Element:
    url = bucket.url(query=query)
    with ask(url, bucket.signed(url, datetime.now(UTC)), source, deadline) as answer:
        _check(answer)
        text = answer.read(MOST_LISTING_MEGABYTES)
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # limited in size, and expat in expansion
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise TransientSourceError(
            f"{answer.address} answered with what is no listing ({error}).", CHECK_BUCKET
        ) from error


def _check(answer: Answer) -> None:
    if answer.status in REDIRECT_STATUS:
        raise SourceError(
            f"{answer.address} answered {answer.status}: the bucket lies elsewhere.",
            "Check `s3.region` and `s3.endpoint` in the city file.",
        )
    check_status(answer, CHECK_BUCKET)
