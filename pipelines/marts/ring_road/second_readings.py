"""A second reading of the ring's vehicles, from the toll: how many of them its cameras read.

A toll reads vehicles by transponder or at a booth, independently of the gantry's camera. So of the
transactions at a gantry whose plate is known, the share that the gantry's reader read too is the
chance that it reads a plate, as audits give it. A reading is of the same vehicle where it has the
same hash within `REPEAT_SECONDS` of the transaction; over the change of a month's key the hash
under the month before counts too.

Left out: transactions without a plate; local days without any passages and stations that never
read, since nothing was delivered of them; and months in which no transaction at all was read, which
happens where toll and readers hash under different keys.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipelines.marts.ring_road.matching import REPEAT_SECONDS

_HASHES = ("plate_hash", "overlap_hash")


def second_readings(
    toll_transactions: pl.DataFrame,
    passages: pl.DataFrame,
    time_zone: str,
    vehicle_class: str = "heavy",
) -> pl.DataFrame:
    """Rows as in `staging.read_audits`: one per station, local day and hour with transactions.

    Columns: station_id, audit_date, hour_of_day, vehicles_seen_count, plates_read_count; in order
    of the first three. The inputs are as in staging; vehicles of one class are compared.
    """
    local = pl.col("paid_at").dt.convert_time_zone(time_zone)
    read_at = pl.col("passed_at").dt.convert_time_zone(time_zone)
    readers = passages.get_column("station_id").unique()
    read_dates = passages.select(read_at.dt.date().unique()).to_series()
    seen = (
        toll_transactions.filter(pl.col("vehicle_class") == vehicle_class, _has_hash())
        .with_columns(audit_date=local.dt.date(), hour_of_day=local.dt.hour().cast(pl.Int32))
        .filter(
            pl.col("station_id").is_in(readers.implode()),
            pl.col("audit_date").is_in(read_dates.implode()),
        )
        .with_row_index("transaction")
    )
    of_class = passages.filter(pl.col("vehicle_class") == vehicle_class)
    is_read = pl.col("transaction").is_in(_read(seen, of_class).implode())
    return (
        seen.with_columns(is_read=is_read)
        .filter(pl.col("is_read").any().over(pl.col("audit_date").dt.month_start()))
        .group_by("station_id", "audit_date", "hour_of_day")
        .agg(
            vehicles_seen_count=pl.len().cast(pl.Int32),
            plates_read_count=pl.col("is_read").sum().cast(pl.Int32),
        )
        .sort("station_id", "audit_date", "hour_of_day")
    )


def _read(seen: pl.DataFrame, passages: pl.DataFrame) -> pl.Series:
    """The transactions of which a passage at the same gantry tells too, by their numbers."""
    paid = _by_hash(seen, "paid_at", "transaction").sort("paid_at")
    passed = _by_hash(passages, "passed_at").sort("passed_at")
    return (
        paid.join_asof(
            passed.with_columns(read_at="passed_at"),
            left_on="paid_at",
            right_on="passed_at",
            by=["station_id", "hash"],
            strategy="nearest",
            tolerance=timedelta(seconds=REPEAT_SECONDS),
            check_sortedness=False,  # it can't be checked by groups
        )
        .filter(pl.col("read_at").is_not_null())
        .get_column("transaction")
        .unique()
    )


def _by_hash(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """A row for each hash of a row, whichever month's key it is under."""
    return pl.concat(
        rows.filter(pl.col(name).is_not_null()).select("station_id", *columns, hash=name)
        for name in _HASHES
    )


def _has_hash() -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_not_null() for name in _HASHES)
