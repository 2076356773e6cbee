"""Translations: whether each names a row that is there, in the one way its table allows.

A row is addressed by the first field of its table's key (record_id) and, where the key has more,
the second (record_sub_id); the row of feed_info needs neither. Or all rows that hold one value
(field_value) are meant, and no id. Left out: languages, and whether the field can be translated.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.rule import ERROR, ROW, WARNING, Found, found, rule
from pipelines.staging.gtfs.specification import FILES

IDS = ("record_id", "record_sub_id")
BY_VALUE = pl.col("field_value").is_not_null()
# What names stop_times can be judged when it was read.
NEEDS = ("translations.table_name", "trip_spans")


@rule("translation_unknown_table_name", WARNING, *NEEDS)
def translation_of_absent_table(feed: Feed) -> Iterator[Found]:
    """table_name is no file of GTFS, or that file is not in the feed."""
    known = [name for name in FILES if feed.has(name)]
    lost = ~pl.col("table_name").is_in(known)
    yield found("translations", feed["translations"].filter(lost), "table_name")


@rule("translation_unexpected_value", ERROR, "translations.table_name")
def translation_addressed_twice(feed: Feed) -> Iterator[Found]:
    """record_id or record_sub_id is given where it must be blank: beside field_value, for
    feed_info, or record_sub_id for a table whose key has one field."""
    for place, field in enumerate(IDS):
        unasked = [name for name, file in FILES.items() if len(file.key) <= place]
        broken = BY_VALUE | pl.col("table_name").is_in(unasked)
        rows = feed["translations"].filter(broken & pl.col(field).is_not_null())
        yield found("translations", rows, field)


@rule("translation_foreign_key_violation", ERROR, *NEEDS)
def translation_of_no_row(feed: Feed) -> Iterator[Found]:
    """No row of the table has the key that the translation names. Of stop_times the trip is looked
    up here, its stop_sequence where calls are read."""
    for name, rows in _addressed(feed):
        key = FILES[name].key
        table = feed[name]
        if name == "stop_times":
            key, table = key[:1], feed.trip_spans
        known = table.select(key[: len(IDS)]).drop_nulls().unique()
        lost = _typed_ids(name, rows).join(known, on=known.columns, how="anti")
        broken = rows.join(lost, on=ROW, how="semi")
        yield found("translations", broken, IDS[0], _address())


def translation_of_no_call(feed: Feed) -> Iterator[Found]:
    """Translations of stop_times whose trip is in this part and has no such stop_sequence.

    It adds to `translation_foreign_key_violation`, part by part.
    """
    for name, rows in _addressed(feed):
        if name == "stop_times":
            ids = _typed_ids(name, rows)
            trips = ids.get_column("trip_id").unique().implode()
            calls = feed.calls.filter(pl.col("trip_id").is_in(trips))
            here = ids.join(calls, on="trip_id", how="semi")
            lost = here.join(calls, on=["trip_id", "stop_sequence"], how="anti")
            yield found("translations", rows.join(lost, on=ROW, how="semi"), IDS[1], _address())


def missing_addresses(feed: Feed) -> Iterator[Found]:
    """Translations that lack the record_id or record_sub_id their table's key asks for: part of
    `missing_required_field`."""
    there = {name for name in FILES if feed.has(name)} | {"stop_times"}  # which is read last
    for place, field in enumerate(IDS):
        asking = [name for name in there if len(FILES[name].key) > place]
        asked = pl.col("table_name").is_in(asking) & ~BY_VALUE
        blank = feed["translations"].filter(asked & pl.col(field).is_null())
        yield found("translations", blank, field)


def _addressed(feed: Feed) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows that name a table in the feed and as many ids as its key asks for, by table."""
    by_id = feed["translations"].filter(~BY_VALUE)
    for name in by_id.get_column("table_name").unique(maintain_order=True).drop_nulls():
        if name in FILES and feed.has(name) and FILES[name].key:
            asked = IDS[: len(FILES[name].key)]
            unasked = [field for field in IDS if field not in asked]
            rows = by_id.filter(pl.col("table_name") == name).drop_nulls(asked)
            yield name, rows.filter(pl.all_horizontal(pl.col(unasked).is_null()))


def _typed_ids(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """row_number and the ids as the table's key fields, of their types: a date is no text."""
    from pipelines.staging.gtfs.typed import typed_rows

    key = FILES[name].key[: len(IDS)]
    texts = rows.select(ROW, *(pl.col(i).alias(k) for i, k in zip(IDS, key, strict=False)))
    return typed_rows(name, texts)[0].select(ROW, *key)


def _address() -> pl.Expr:
    return pl.concat_str("table_name", *IDS, separator=" ", ignore_nulls=True)
