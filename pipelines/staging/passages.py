"""Passages: who was read where and when, who paid at a gantry, and how well readers read.

Three kinds of files: passages (readings of hashed plates), toll transactions (payments at the
gantries of a toll road, with hashed plates), and read audits (an independent second reading of the
same vehicles, from which read rates come).

Plates are known by a hash under a key that changes with the month; the `overlap_hash` under the
key of the month before, told on the first local day of a month, lets a trip over the change match.
Days of passages and of tolls hold no hash: counts alone.

Instants are UTC, as `pipelines.staging.instants` says. Passages may repeat (one vehicle read twice
within seconds) and are kept as delivered, numbered in the file's order. Left out: speeds, lanes,
axle weights, what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.instants import instant, lacks_offset
from pipelines.staging.sift import Staged, sift
from pipelines.staging.traffic import VEHICLE_CLASSES

DIRECTIONS = ("in", "out")


def _hash(description: str) -> dy.String:
    return dy.String(
        nullable=True, min_length=16, metadata={"personal": True}, description=description
    )


def _moment(description: str) -> dy.Datetime:
    return dy.Datetime(time_zone="UTC", time_unit="ms", description=description)


def _count(description: str, unit: str = "readings", least: int = 0) -> dy.Int64:
    return dy.Int64(min=least, metadata={"unit": unit}, description=description)


class Passages(Versioned):
    """One row per reading of a plate by a station, repeats included."""

    passage_number = dy.Int64(
        primary_key=True, min=1, description="Place of the reading in its file."
    )
    station_id = dy.String(description="Station that read the plate.")
    passed_at = _moment("Moment of the reading.")
    direction = one_of(
        *DIRECTIONS,
        nullable=True,
        description="At the cordon: into it or out of it; null where it isn't told.",
    )
    vehicle_class = one_of(*VEHICLE_CLASSES, description="Class of the vehicle.")
    plate_hash = _hash("Keyed hash of the plate; null where the plate wasn't read.")
    overlap_hash = _hash(
        "Hash of the plate under the previous month's key, for passages of the first day of a "
        "month, so that a trip over the change of the key still matches."
    )


class PassageDays(Versioned):
    """One row per station, local day and vehicle class of a version of the passages."""

    station_id = dy.String(primary_key=True, description="Station that read.")
    passed_date = dy.Date(primary_key=True, description="Local day of the readings.")
    vehicle_class = one_of(*VEHICLE_CLASSES, primary_key=True, description="Class of the vehicles.")
    reading_count = _count("Readings, repeats and readings without a plate included.", least=1)
    unread_count = _count("Those of them without a plate.")
    undirected_count = _count("Those of them without a direction.")
    first_passed_at = _moment("Moment of the first reading.")
    last_passed_at = _moment("Moment of the last reading.")

    @dy.rule()
    def parts_within_readings(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Neither part is more than all readings."""
        return pl.max_horizontal("unread_count", "undirected_count") <= pl.col("reading_count")

    @dy.rule()
    def first_before_last(cls) -> pl.Expr:  # noqa: N805  # as above
        """The first reading is not later than the last."""
        return pl.col("first_passed_at") <= pl.col("last_passed_at")


class TollTransactions(Versioned):
    """One row per payment for a vehicle at a gantry."""

    transaction_number = dy.Int64(
        primary_key=True, min=1, description="Place of the transaction in its file."
    )
    station_id = dy.String(description="Gantry, as the list of count stations names it.")
    paid_at = _moment("Moment at which the vehicle passed the gantry.")
    vehicle_class = one_of(*VEHICLE_CLASSES, description="Class of the vehicle.")
    direction = one_of(
        *DIRECTIONS, nullable=True, description="Direction of travel; null where it isn't told."
    )
    plate_hash = _hash("Keyed hash of the plate, as in passages; null where it isn't known.")
    overlap_hash = _hash("Hash under the previous month's key, as in passages.")


class TollDays(Versioned):
    """One row per gantry, local day and vehicle class of a version of the toll transactions."""

    station_id = dy.String(primary_key=True, description="Gantry.")
    passed_date = dy.Date(
        primary_key=True, description="Local day on which the vehicles passed the gantry."
    )
    vehicle_class = one_of(*VEHICLE_CLASSES, primary_key=True, description="Class of the vehicles.")
    transaction_count = _count("Payments for vehicles.", "transactions", least=1)
    unread_count = _count("Those of them without a plate.", "transactions")
    undirected_count = _count("Those of them without a direction.", "transactions")
    first_paid_at = _moment("Moment of the first payment.")
    last_paid_at = _moment("Moment of the last payment.")

    @dy.rule()
    def parts_within_transactions(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Neither part is more than all transactions."""
        return pl.max_horizontal("unread_count", "undirected_count") <= pl.col("transaction_count")

    @dy.rule()
    def first_before_last(cls) -> pl.Expr:  # noqa: N805  # as above
        """The first payment is not later than the last."""
        return pl.col("first_paid_at") <= pl.col("last_paid_at")


class ReadAudits(Versioned):
    """One row per station, day and hour in which a second reading was made."""

    station_id = dy.String(primary_key=True, description="Station that was audited.")
    audit_date = dy.Date(primary_key=True, description="Local day of the second reading.")
    hour_of_day = dy.Int32(
        primary_key=True,
        min=0,
        max=23,
        metadata={"unit": "h"},
        description="Local hour of the second reading.",
    )
    vehicles_seen_count = dy.Int32(
        min=0,
        metadata={"unit": "vehicles"},
        description="Vehicles whose plates the second reading saw.",
    )
    plates_read_count = dy.Int32(
        min=0, metadata={"unit": "vehicles"}, description="Those of them that the station read."
    )

    @dy.rule()
    def read_not_above_seen(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The station reads none that the second reading didn't see."""
        return pl.col("plates_read_count") <= pl.col("vehicles_seen_count")


def stage_passages(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Readings under contract, in the file's order.

    A file without classes holds one class alone, which its owner hasn't named: all of it is "all".
    """
    return _sift_numbered(Passages, "passage_number", "passed_at", raw["rows"], source)


def stage_passage_days(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Counts of the readings that `stage_passages` keeps; nothing is refused a second time."""
    rows = stage_passages(raw, source).rows
    return sift(PassageDays, _days(rows, "reading_count", "passed_at", source), source)


def stage_toll_transactions(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Transactions under contract, in the file's order; classes as in passages."""
    return _sift_numbered(TollTransactions, "transaction_number", "paid_at", raw["rows"], source)


def stage_toll_days(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Counts of the transactions that `stage_toll_transactions` keeps, as of passages."""
    rows = stage_toll_transactions(raw, source).rows
    return sift(TollDays, _days(rows, "transaction_count", "paid_at", source), source)


def stage_read_audits(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Audited hours under contract."""
    return sift(ReadAudits, raw["rows"], source)


def _sift_numbered(
    schema: type[dy.Schema], number: str, moment: str, rows: pl.DataFrame, source: SourceVersion
) -> Staged:
    parsed = {
        moment: instant(moment, rows, source),
        number: pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    }
    if "vehicle_class" not in rows.columns:
        parsed["vehicle_class"] = pl.lit("all")
    return sift(schema, rows, source, parsed, refused=lacks_offset(moment, rows))


def _days(rows: pl.DataFrame, total: str, moment: str, source: SourceVersion) -> pl.DataFrame:
    """Counts of staged rows by station, local day and class, in that order."""
    passed_date = pl.col(moment).dt.convert_time_zone(source.time_zone).dt.date()
    counts = {
        total: pl.len(),
        "unread_count": pl.col("plate_hash").null_count(),
        "undirected_count": pl.col("direction").null_count(),
        f"first_{moment}": pl.col(moment).min(),
        f"last_{moment}": pl.col(moment).max(),
    }
    by_day = rows.group_by("station_id", "vehicle_class", passed_date=passed_date).agg(**counts)
    return by_day.sort("station_id", "passed_date", "vehicle_class")
