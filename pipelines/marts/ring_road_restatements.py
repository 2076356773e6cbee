"""Ring-road restatements: which diversion shares a night tells otherwise than the night before it.

A month that has ended is told once all its days could have arrived; each night after that tells the
same, unless passages of it came late or were replaced, stations or read audits of that time
changed, or the definition did. Such a share is told here with both values, so that who quoted it
learns of it: one row per month and class of vehicle whose rows in `marts.ring_road_diversion`
differ between a night and the latest one before it.

Left out: the running month, which another day changes every night; and what only rounding moves.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, share, stamp
from pipelines.marts.ring_road_diversion import RingRoadDiversion
from pipelines.night import Night
from pipelines.staging.traffic import VEHICLE_CLASSES

METHOD = "one night against the night before"
OTHER_DAYS = "days with passages came or went"
OTHER_TRIPS = "passages of days told before came late or were replaced"
OTHER_RATES = "read rates or times of that month are known otherwise"
_KEY = ("month_date", "vehicle_class")
_TOLD = (
    "diversion_share",
    "diversion_share_low",
    "diversion_share_high",
    "matched_count",
    "matched_ring_count",
    "passage_day_count",
)


def _days(description: str) -> dy.Int64:
    return dy.Int64(nullable=True, min=0, metadata={"unit": "days"}, description=description)


class RingRoadRestatements(Figure):
    """One row per service date, ended month and class of vehicle that is told otherwise."""

    month_date = dy.Date(primary_key=True, description="First day of the local month.")
    vehicle_class = one_of(*VEHICLE_CLASSES, primary_key=True, description="Class of the vehicles.")
    before_date = dy.Date(description="Service date of the night before.")
    diversion_share_before = share("Share as the night before told it; null: it told none.")
    diversion_share = share("Share as this night tells it; null: it tells none.")
    passage_day_count_before = _days("Days with passages that the night before knew.")
    passage_day_count = _days("Days with passages that this night knows.")
    cause = one_of(
        *(OTHER_DAYS, OTHER_TRIPS, OTHER_RATES), description="What has changed below the share."
    )


def compute_ring_road_restatements(
    night: Night,
    *,
    ring_road_diversion: dy.DataFrame[RingRoadDiversion],
    past_ring_road_diversion: dy.DataFrame[RingRoadDiversion],
) -> dy.DataFrame[RingRoadRestatements]:
    """Rows of the months that had ended by the night before; none where there was no night."""
    past = pl.DataFrame(past_ring_road_diversion)
    last = past.filter(pl.col("service_date") == pl.col("service_date").max())
    before = last.select(
        *_KEY,
        *(pl.col(name).alias(f"{name}_before") for name in _TOLD),
        before_date="service_date",
    )
    now = pl.DataFrame(ring_road_diversion).select(*_KEY, *_TOLD)
    both = before.join(now, on=_KEY, how="full", coalesce=True).with_columns(
        pl.col("before_date").fill_null(pl.col("before_date").max()),
        # Days are a month's: a class that was never read before brings no other ones.
        pl.col("passage_day_count", "passage_day_count_before").max().over("month_date"),
    )
    ended = pl.col("month_date") < pl.col("before_date").dt.month_start()
    differs = {name: pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in _TOLD}
    rows = both.filter(ended, pl.any_horizontal(differs.values())).with_columns(
        cause=pl.when(differs["passage_day_count"])
        .then(pl.lit(OTHER_DAYS))
        .when(differs["matched_count"] | differs["matched_ring_count"])
        .then(pl.lit(OTHER_TRIPS))
        .otherwise(pl.lit(OTHER_RATES))
    )
    stamped = stamp(rows, night, method=METHOD)
    return RingRoadRestatements.validate(
        stamped.select(RingRoadRestatements.column_names()).sort(_KEY), cast=True
    )
