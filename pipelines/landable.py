"""What of a source's objects may be landed, and what parsers are told of what was.

Objects of a screened kind may bring personal data: their parser looks at each before a byte of it
is landed. Where the city file names the column that holds plates in clear, what is landed is
another form of the object, with hashed plates, under our own headings and words.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import polars as pl

from pipelines import flow
from pipelines.access import ClearPlates, secret_names
from pipelines.city_file import City
from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fetch import Gate, Secrets
from pipelines.sources.table import described
from pipelines.sources.traffic.hashing import check_key

MARK_DIGITS = 16


def describe_version(
    city: City, source_id: str, object_name: str, version_id: str
) -> SourceVersion:
    """What the city file tells parsers and stagers of one landed object of a source."""
    upstream = _describe_upstream(city, source_id, object_name, version_id)
    if city.sources[source_id].plates is None:
        return upstream
    return replace(upstream, format="parquet", columns={}, terms={})


def gate_of(city: City, source_id: str) -> Callable[[Secrets], Gate]:
    """What opens the gate of a source, given its secrets; that raises `SourceError` for bad ones.

    What the gate refuses is a `SourceError` that repeats no value of the file.
    """
    source = city.sources[source_id]
    kind = flow.source_kind(source.kind)

    def look_at(payload: bytes, told: SourceVersion) -> bytes:
        flow.load_function(kind.parse)(payload, told)
        return payload

    def open_gate(secrets: Secrets) -> Gate:
        if not kind.is_screened:
            return Gate()
        if source.plates is None:
            return Gate(_discreet(look_at, city, source_id))
        plates, key = source.plates, _plate_key(source.plates, secrets)

        def hash_plates(payload: bytes, told: SourceVersion) -> bytes:
            hash_them = flow.load_function(kind.hash_plates)
            landed: bytes = hash_them(payload, told, plates.column, key)
            return landed

        told = _describe_upstream(city, source_id, "", "")
        return Gate(_discreet(hash_plates, city, source_id), _mark(told, plates.column, key))

    return open_gate


def _describe_upstream(
    city: City, source_id: str, object_name: str, version_id: str
) -> SourceVersion:
    source = city.sources[source_id]
    return SourceVersion(
        source_id=source_id,
        version_id=version_id,
        object_name=object_name,
        format=source.format,
        time_zone=source.time_zone or city.city.time_zone,
        columns=source.columns,
        terms=source.terms,
    )


def _discreet(
    look: Callable[[bytes, SourceVersion], bytes], city: City, source_id: str
) -> Callable[[str, bytes], bytes]:
    """The look at an object by its name; an error that may repeat a value becomes one of ours."""

    def let_in(object_name: str, payload: bytes) -> bytes:
        told = _describe_upstream(city, source_id, object_name, "")
        try:
            return look(payload, told)
        except pl.exceptions.PolarsError:
            raise SourceError(
                f"{described(told)} can't be read as the table that it should be.",
                "Nothing of the file was kept. Ask who delivers it, or correct `columns` of the "
                "source in the city file.",
            ) from None

    return let_in


def _plate_key(plates: ClearPlates, secrets: Secrets) -> bytes:
    [name] = secret_names(plates.key)
    return check_key(secrets.fill(plates.key), name)


def _mark(told: SourceVersion, column: str, key: bytes) -> str:
    """What changes when other bytes would be landed of the same object; it doesn't tell the key."""
    words = {name: dict(mapped) for name, mapped in told.terms.items()}
    settings = [column, told.format, told.time_zone, dict(told.columns), words]
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hmac.digest(key, text.encode(), "sha256").hex()[:MARK_DIGITS]
