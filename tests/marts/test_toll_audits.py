"""Toll audits: what a day's payments tell of the readers, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dataframely as dy
import polars as pl
import pytest

from pipelines.marts.toll_audits import TollAudits, compute_toll_audits
from pipelines.staging.passages import Passages, TollTransactions
from tests.marts.toy_passages import DAY, Reading, a_night, hashed, the_passages, typed

NOON = datetime(2026, 11, 20, 7, tzinfo=UTC)  # 12:00 in Almaty
MIDNIGHT = datetime(2026, 11, 20, 19, tzinfo=UTC)  # the 21st begins in Almaty
Payment = tuple[str | None, str, datetime]  # plate, gantry, moment


def the_tolls(payments: Sequence[Payment], vehicle_class: str = "heavy") -> pl.DataFrame:
    return typed(
        TollTransactions,
        (
            {
                "transaction_number": number,
                "station_id": gantry,
                "paid_at": moment,
                "vehicle_class": vehicle_class,
                "direction": None,
                "plate_hash": plate and hashed(plate, DAY.replace(day=1)),
                "overlap_hash": None,
            }
            for number, (plate, gantry, moment) in enumerate(payments, start=1)
        ),
    )


def audited(
    tolls: pl.DataFrame, readings: Sequence[Reading], day: date = DAY
) -> list[tuple[object, ...]]:
    rows = compute_toll_audits(
        replace(a_night(), service_date=day),
        toll_transactions=TollTransactions.validate(tolls),
        passages=Passages.validate(the_passages(readings)),
    )
    assert rows.get_column("audit_date").equals(rows.get_column("service_date"))
    counts = ("station_id", "hour_of_day", "vehicles_seen_count", "plates_read_count")
    return rows.select(counts).sort("station_id", "hour_of_day").rows()


def paid_and_read(
    count: int, read: int, at: datetime = NOON
) -> tuple[list[Payment], list[Reading]]:
    """Vehicles that paid at g1 a minute apart, of which the first were read two seconds later."""
    moments = [at + timedelta(minutes=n) for n in range(count)]
    paid: list[Payment] = [(f"p{at:%d%H}{n}", "g1", moment) for n, moment in enumerate(moments)]
    readings: list[Reading] = [
        (f"p{at:%d%H}{n}", "g1", moment + timedelta(seconds=2), "in")
        for n, moment in enumerate(moments[:read])
    ]
    return paid, readings


def test_of_those_who_paid_in_an_hour_some_were_read() -> None:
    early, late = paid_and_read(4, 3), paid_and_read(5, 5, NOON + timedelta(hours=3))
    rows = audited(the_tolls(early[0] + late[0]), early[1] + late[1])
    assert rows == [("g1", 12, 4, 3), ("g1", 15, 5, 5)]


def test_the_days_beside_are_read_and_not_told() -> None:
    paid, readings = paid_and_read(4, 3)
    before, after = (paid_and_read(6, 6, NOON + timedelta(days=n)) for n in (-1, 1))
    rows = audited(the_tolls(before[0] + paid + after[0]), before[1] + readings + after[1])
    assert rows == [("g1", 12, 4, 3)]


def test_a_reading_past_midnight_is_of_the_day_of_the_payment() -> None:
    paid, readings = paid_and_read(2, 1)
    last: Payment = ("late", "g1", MIDNIGHT - timedelta(seconds=1))
    read: Reading = ("late", "g1", MIDNIGHT + timedelta(seconds=1), "in")
    tolls, passages = the_tolls([*paid, last]), [*readings, read]
    assert audited(tolls, passages) == [("g1", 12, 2, 1), ("g1", 23, 1, 1)]
    assert audited(tolls, passages, DAY + timedelta(days=1)) == []


def test_a_payment_on_the_eve_of_a_month_is_matched_by_the_overlap() -> None:
    eve = datetime(2026, 10, 31, 18, 59, 59, tzinfo=UTC)  # 23:59:59 in Almaty
    tolls = the_tolls([("x", "g1", eve)]).with_columns(
        plate_hash=pl.lit(hashed("x", date(2026, 10, 1)))
    )
    readings: list[Reading] = [
        ("x", "g1", eve + timedelta(seconds=3), "in"),
        ("y", "g1", eve - timedelta(hours=1), "in"),
    ]
    assert audited(tolls, readings, date(2026, 10, 31)) == [("g1", 23, 1, 1)]


def test_heavy_vehicles_of_known_plates_alone_are_counted() -> None:
    paid, readings = paid_and_read(4, 3)
    unknown: Payment = (None, "g1", NOON)
    tolls = the_tolls([*paid, unknown])
    light = the_tolls([("light", "g1", NOON)], "light").with_columns(version_id=pl.lit("v2"))
    assert audited(pl.concat([tolls, light]), readings) == [("g1", 12, 4, 3)]


def test_a_gantry_that_reads_nothing_tells_nothing() -> None:
    paid, readings = paid_and_read(4, 3)
    silent: list[Payment] = [("s", "g2", NOON)]
    assert audited(the_tolls(paid + silent), readings) == [("g1", 12, 4, 3)]


def test_a_day_without_readings_or_payments_tells_nothing() -> None:
    paid, readings = paid_and_read(4, 3)
    assert audited(the_tolls(paid), []) == []
    assert audited(the_tolls([]), readings) == []
    assert audited(the_tolls([]), []) == []


def test_no_more_are_read_than_were_seen() -> None:
    paid, readings = paid_and_read(4, 3)
    rows = compute_toll_audits(
        a_night(),
        toll_transactions=TollTransactions.validate(the_tolls(paid)),
        passages=Passages.validate(the_passages(readings)),
    )
    with pytest.raises(dy.exc.ValidationError, match="read_not_above_seen"):
        TollAudits.validate(pl.DataFrame(rows).with_columns(plates_read_count=pl.lit(5, pl.Int32)))
