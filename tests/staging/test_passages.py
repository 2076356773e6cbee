"""Files of plates: repeats that stay, days of counts, and bad rows by rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.passages import (
    parse_passages,
    parse_read_audits,
    parse_toll_transactions,
)
from pipelines.staging.passages import (
    PassageDays,
    Passages,
    ReadAudits,
    TollDays,
    TollTransactions,
    stage_passage_days,
    stage_passages,
    stage_read_audits,
    stage_toll_days,
    stage_toll_transactions,
)
from pipelines.staging.sift import Staged

HASH = "9f86d081884c7d65"
OTHER_HASH = "60303ae22b998861"


def csv_source(time_zone: str = "UTC") -> SourceVersion:
    return SourceVersion("traffic", "v1", "file.csv", "csv", time_zone=time_zone)


def rules(result: Staged) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in result.quarantine.select("row_number", "rule").rows()]


def readings(*rows: str) -> bytes:
    return "\n".join(["station_id,passed_at,direction,vehicle_class,plate_hash", *rows]).encode()


def test_repeats_of_a_passage_stay_and_are_numbered() -> None:
    source = csv_source()
    row = f"a,2026-11-20T05:00:00.123Z,in,heavy,{HASH}"
    payload = f"station_id,passed_at,direction,vehicle_class,plate_hash\n{row}\n{row}"
    result = stage_passages(parse_passages(payload.encode(), source), source)
    rows = Passages.validate(result.rows)
    assert rows.get_column("passage_number").to_list() == [1, 2]
    assert rows.get_column("passed_at").dt.millisecond().to_list() == [123, 123]


def test_an_unread_plate_and_an_untold_direction_are_null() -> None:
    source = csv_source()
    payload = b"station_id,passed_at,plate_hash\na,2026-11-20T05:00:00Z,\n"
    result = stage_passages(parse_passages(payload, source), source)
    assert result.rows.select("direction", "vehicle_class", "plate_hash").rows() == [
        (None, "all", None)
    ]


def test_an_audit_reads_no_more_than_it_saw() -> None:
    source = csv_source()
    payload = (
        b"station_id,audit_date,hour_of_day,vehicles_seen_count,plates_read_count\n"
        b"a,2026-11-20,5,20,17\na,2026-11-20,6,20,21\na,2026-11-20,24,20,17\n"
    )
    result = stage_read_audits(parse_read_audits(payload, source), source)
    assert ReadAudits.validate(result.rows).height == 1
    assert rules(result) == [(3, "read_not_above_seen"), (4, "hour_of_day|max")]


@pytest.mark.parametrize(
    ("parse", "lacking"),
    [
        (parse_passages, "'station_id', 'passed_at', 'plate_hash'"),
        (parse_toll_transactions, "'station_id', 'paid_at', 'plate_hash'"),
        (parse_read_audits, "'station_id', 'audit_date', 'hour_of_day', 'vehicles_seen_count'"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_the_columns_it_lacks(
    parse: Callable[[bytes, SourceVersion], dict[str, pl.DataFrame]], lacking: str
) -> None:
    with pytest.raises(SourceError, match=f"lacks the column {lacking}.*it has 'n', 'm'"):
        parse(b"n,m\n1,2\n", csv_source())


def test_the_hash_under_the_month_before_is_kept() -> None:
    source = csv_source("Asia/Almaty")
    payload = (
        "station_id,passed_at,plate_hash,overlap_hash\n"
        f"a,2026-10-31T18:59:00Z,{OTHER_HASH},\n"
        f"a,2026-10-31T19:01:00Z,{HASH},{OTHER_HASH}\n"
    )
    result = stage_passages(parse_passages(payload.encode(), source), source)
    rows = Passages.validate(result.rows).select("plate_hash", "overlap_hash").rows()
    assert rows == [(OTHER_HASH, None), (HASH, OTHER_HASH)]


def test_in_a_file_with_offsets_a_moment_without_one_is_refused_by_name() -> None:
    source = csv_source("Asia/Almaty")
    payload = readings(
        f"a,2026-11-20T05:00:00Z,in,heavy,{HASH}",
        f"a,2026-11-20T10:00:01,in,heavy,{HASH}",
        f"a,2026-11-20T10:00:02+0500,in,heavy,{HASH}",
        f"a,soon,in,heavy,{HASH}",
    )
    result = stage_passages(parse_passages(payload, source), source)
    assert rules(result) == [
        (3, "passed_at|no offset in a file with offsets"),
        (5, "passed_at|unparsable"),
    ]
    assert result.rows.get_column("passage_number").to_list() == [1, 3]


def test_days_count_readings_by_the_local_day_and_hold_no_hash() -> None:
    source = csv_source("Asia/Almaty")
    payload = readings(
        f"a,2026-11-20T18:59:59Z,in,heavy,{HASH}",
        "a,2026-11-20T19:00:00Z,in,heavy,",
        f"a,2026-11-20T20:00:00Z,,heavy,{HASH}",
        f"a,2026-11-20T19:30:00Z,in,light,{HASH}",
        f"b,2026-11-20T19:30:00Z,in,heavy,{HASH}",
        f"b,2026-11-20T19:30:00Z,in,tank,{HASH}",
    )
    result = stage_passage_days(parse_passages(payload, source), source)
    days = PassageDays.validate(result.rows)
    assert not result.quarantine.height  # the tank is in that of the passages
    counts = ("reading_count", "unread_count", "undirected_count")
    assert days.select("station_id", "passed_date", "vehicle_class", *counts).rows() == [
        ("a", date(2026, 11, 20), "heavy", 1, 0, 0),
        ("a", date(2026, 11, 21), "heavy", 2, 1, 1),
        ("a", date(2026, 11, 21), "light", 1, 0, 0),
        ("b", date(2026, 11, 21), "heavy", 1, 0, 0),
    ]
    assert days.select("first_passed_at", "last_passed_at").row(1) == (
        datetime(2026, 11, 20, 19, tzinfo=UTC),
        datetime(2026, 11, 20, 20, tzinfo=UTC),
    )
    assert HASH not in days.write_csv()


def test_a_file_of_which_every_row_is_refused_has_no_days() -> None:
    source = csv_source()
    raw = parse_passages(readings(f"a,soon,in,heavy,{HASH}"), source)
    assert stage_passages(raw, source).refused == 1
    assert stage_passage_days(raw, source).rows.is_empty()


def test_toll_transactions_are_numbered_and_their_plate_may_be_unknown() -> None:
    source = csv_source("Asia/Almaty")
    payload = (
        "station_id,paid_at,vehicle_class,direction,plate_hash\n"
        f"g1,2026-11-20 10:00:00.250,heavy,in,{HASH}\n"
        "g1,2026-11-20 10:00:01,all,,\n"
        "g1,2026-11-20 10:00:01,bus,,\n"
        f"g1,2026-11-20 10:00:02,light,up,{HASH}\n"
    )
    result = stage_toll_transactions(parse_toll_transactions(payload.encode(), source), source)
    rows = TollTransactions.validate(result.rows).drop("source_id", "version_id")
    paid_at = datetime(2026, 11, 20, 5, tzinfo=UTC)
    assert rows.rows() == [
        (1, "g1", paid_at.replace(microsecond=250_000), "heavy", "in", HASH, None),
        (2, "g1", paid_at.replace(second=1), "all", None, None, None),
    ]
    assert rules(result) == [(4, "vehicle_class|check"), (5, "direction|check")]


def test_days_of_tolls_count_payments_by_the_local_day_and_hold_no_hash() -> None:
    source = csv_source("Asia/Almaty")
    payload = (
        "station_id,paid_at,vehicle_class,direction,plate_hash,overlap_hash\n"
        f"g1,2026-10-31 23:59:59,heavy,in,{HASH},\n"
        f"g1,2026-11-01 00:00:00,heavy,,{HASH},{OTHER_HASH}\n"
        "g1,2026-11-01 18:30:00.500,heavy,out,,\n"
        f"g2,2026-11-01 18:30:00,light,,{HASH},{OTHER_HASH}\n"
        f"g2,soon,light,,{HASH},{OTHER_HASH}\n"
    )
    result = stage_toll_days(parse_toll_transactions(payload.encode(), source), source)
    days = TollDays.validate(result.rows)
    assert not result.quarantine.height  # the last row is in that of the transactions
    assert days.drop("source_id", "version_id", "first_paid_at", "last_paid_at").rows() == [
        ("g1", date(2026, 10, 31), "heavy", 1, 0, 0),
        ("g1", date(2026, 11, 1), "heavy", 2, 1, 1),
        ("g2", date(2026, 11, 1), "light", 1, 0, 1),
    ]
    assert days.select("first_paid_at", "last_paid_at").row(1) == (
        datetime(2026, 10, 31, 19, tzinfo=UTC),
        datetime(2026, 11, 1, 13, 30, 0, 500_000, tzinfo=UTC),
    )
    assert HASH not in days.write_csv()
    assert OTHER_HASH not in days.write_csv()


@pytest.mark.parametrize(
    ("parse", "stage", "moment"),
    [
        (parse_passages, stage_passages, "passed_at"),
        (parse_toll_transactions, stage_toll_transactions, "paid_at"),
    ],
)
def test_quarantine_tells_a_row_without_its_hashes(
    parse: Callable[[bytes, SourceVersion], dict[str, pl.DataFrame]],
    stage: Callable[[dict[str, pl.DataFrame], SourceVersion], Staged],
    moment: str,
) -> None:
    source = csv_source()
    payload = (
        f"station_id,{moment},direction,vehicle_class,plate_hash,overlap_hash\n"
        f"a,2026-11-01T05:00:00Z,up,heavy,{HASH},{OTHER_HASH}\n"
        f"a,soon,in,heavy,{HASH},{OTHER_HASH}\n"
    )
    result = stage(parse(payload.encode(), source), source)
    assert rules(result) == [(2, "direction|check"), (3, f"{moment}|unparsable")]
    assert [json.loads(row) for row in result.quarantine.get_column("row_json")] == [
        {
            "station_id": "a",
            moment: "2026-11-01T05:00:00Z",
            "direction": "up",
            "vehicle_class": "heavy",
        },
        {"station_id": "a", moment: "soon", "direction": "in", "vehicle_class": "heavy"},
    ]
