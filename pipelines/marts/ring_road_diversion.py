"""Ring-road diversion: which share of the through traffic takes the ring road, by month and class.

Through traffic enters the city's cordon and leaves it elsewhere without stopping in it. The cordon
lies outside the ring road, so vehicles on either way cross it twice; readers on the ring tell the
way. The definition, step by step:

1. readings of one hashed plate at two cordon stations make a matched trip (`matching`), counted
   day by day (`marts.matched_trips`),
2. one within the limit of its pair and hour is a through trip, a longer one a visit (`limits`),
3. a through trip read by a ring station in between took the ring,
4. what readers miss is corrected by audited read rates (`read_rates`),
5. share = trips on the ring / all through trips, with its 95 % interval (`shares`).

Numerator, denominator, read rates and the naive share are always published beside the share, and
`warning` names what is wrong with the readers (`reader_faults`).
The rows of one service date are the months from the first with passages up to its own: some stand
on all their days, some on one, and `passage_day_count` says on how many; one without any has a row
with the reason. Days whose passages were
deleted after the city's retention period stand on what was counted of them once, and
`replayed_day_count` says how many.

Counts of 1 to 4 trips could point at a haulier: they are null with the reason, and so is a count
that would give one away by subtraction. Left out: single trips, and what the trips would have done
without the ring (that is an effect, not a share).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, share, stamp
from pipelines.marts.matched_trips import MatchedTrips
from pipelines.marts.ring_road.estimates import Estimates, delivered_dates, estimate_through
from pipelines.marts.ring_road.reader_faults import reader_faults
from pipelines.marts.ring_road.shares import LOWEST_PLAUSIBLE_RATE
from pipelines.marts.ring_road.suppression import SMALLEST_COUNT, is_small
from pipelines.marts.toll_audits import TollAudits
from pipelines.night import Night
from pipelines.staging.passages import PassageDays, ReadAudits
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

HEAVY = "heavy"  # has a row each month, whatever was delivered

METHOD = "matched plates, audited read rates"
METHOD_WITHOUT_AUDITS = "matched plates, unknown read rates"

NO_STATIONS = "no count stations with the roles cordon and ring were delivered"
NO_PASSAGES = "no passages of this month were delivered"
NO_TRIPS = "no through trip was matched"
SUPPRESSED = f"fewer than {SMALLEST_COUNT} matched trips on one of the two ways"
NO_AUDITS = (
    f"no read audits: the bounds are a range for readers of the ring that read "
    f"{LOWEST_PLAUSIBLE_RATE:.0%} to 100 % of plates"
)
_DIGITS = 6


def _count(description: str) -> dy.Int64:
    return dy.Int64(nullable=True, min=0, metadata={"unit": "trips"}, description=description)


def _estimated_count(description: str) -> dy.Float64:
    return dy.Float64(nullable=True, min=0, metadata={"unit": "trips"}, description=description)


class RingRoadDiversion(Figure):
    """One row per service date, month of entry into the cordon and class of vehicle."""

    month_date = dy.Date(primary_key=True, description="First day of the local month.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class as the station of entry told it."
    )
    numerator_count = _estimated_count(
        "Through trips on the ring on the days delivered, corrected for unread plates."
    )
    denominator_count = _estimated_count(
        "All through trips on the days delivered, corrected for unread plates."
    )
    matched_count = _count("Through trips as matched, both ends read.")
    matched_ring_count = _count("Matched trips that a ring station read in between.")
    passage_day_count = dy.Int64(
        min=0, metadata={"unit": "days"}, description="Local days of the month with passages."
    )
    replayed_day_count = dy.Int64(
        min=0,
        metadata={"unit": "days"},
        description="Those of them whose passages aren't kept: counted once, and not again.",
    )
    is_complete_month = dy.Bool(description="Whether all days of the month have passages.")
    read_rate_cordon = share(
        "Chance that a cordon station reads a plate: square root of matched over all trips."
    )
    read_rate_ring = share(
        "Chance that at least one ring station on the way reads a plate, over trips on the ring."
    )
    diversion_share_naive = share("matched_ring_count / matched_count: what was read alone.")
    diversion_share = share("numerator_count / denominator_count, at most 1.")
    diversion_share_low = share(
        "Lower 95 % bound; without audits the lower end of the range that read rates leave open."
    )
    diversion_share_high = share("Upper 95 % bound, or upper end of the range.")
    warning = dy.String(
        nullable=True, description="What is wrong with readers of the month; null: nothing found."
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A share is null exactly where a reason says why."""
        return pl.col("diversion_share").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def share_within_bounds(cls) -> pl.Expr:  # noqa: N805  # as above
        """The bounds enclose the share."""
        return pl.col("diversion_share").is_between("diversion_share_low", "diversion_share_high")

    @dy.rule()
    def small_counts_suppressed(cls) -> pl.Expr:  # noqa: N805  # as above
        """No count of 1 to 4 trips, told or left by subtraction."""
        told, ring = pl.col("matched_count"), pl.col("matched_ring_count")
        return ~pl.any_horizontal(is_small(count) for count in (told, ring, told - ring))


def compute_ring_road_diversion(
    night: Night,
    *,
    matched_trips: dy.DataFrame[MatchedTrips],
    passage_days: dy.DataFrame[PassageDays],
    count_stations: dy.DataFrame[CountStations],
    read_audits: dy.DataFrame[ReadAudits],
    toll_audits: dy.DataFrame[TollAudits],
    forgotten_days: Collection[date],
) -> dy.DataFrame[RingRoadDiversion]:
    """Rows for every month and class with passages up to the service date, and for the date's own.

    Station ids are one vocabulary for all inputs, whatever source each comes from.
    `forgotten_days` are those whose passages are not kept beyond the night.
    """
    delivered = delivered_dates(passage_days, matched_trips)
    found = estimate_through(
        matched_trips, count_stations, [read_audits, toll_audits], delivered, night.service_date
    )
    faults = reader_faults(
        matched_trips.filter(pl.col("service_date") <= night.service_date),
        passage_days.filter(pl.col("passed_date") <= night.service_date),
        pl.DataFrame(count_stations),
        found.rates,
    )
    rows = (
        _days(delivered, forgotten_days, night)
        .join(_classes(passage_days, matched_trips), how="cross")
        .join(found.by("vehicle_class"), on=["month_date", "vehicle_class"], how="left")
        .join(faults, on="month_date", how="left")
    )
    stamped = stamp(_told(rows, found), night, method=METHOD)
    return RingRoadDiversion.validate(
        stamped.select(RingRoadDiversion.column_names()).sort("month_date", "vehicle_class"),
        cast=True,
    )


def _classes(passage_days: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    """The classes that were read at all, and heavy vehicles."""
    read = [rows.get_column("vehicle_class") for rows in (passage_days, matched)]
    return pl.DataFrame({"vehicle_class": sorted({HEAVY, *read[0], *read[1]})})


def _days(delivered: pl.Series, forgotten: Collection[date], night: Night) -> pl.DataFrame:
    """Days with passages of each month up to the night's, and of how many they are deleted."""
    month = pl.col("service_date").dt.month_start().alias("month_date")
    known = pl.DataFrame({"service_date": delivered}).filter(
        pl.col("service_date") <= night.service_date
    )
    is_forgotten = pl.col("service_date").is_in(list(forgotten))
    counted = known.group_by(month).agg(
        passage_day_count=pl.len(), replayed_day_count=is_forgotten.sum()
    )
    own = night.service_date.replace(day=1)
    first = counted.select(pl.col("month_date").min()).item() or own
    months = pl.date_range(first, own, "1mo", eager=True).alias("month_date").to_frame()
    days = months.join(counted, on="month_date", how="left").with_columns(
        pl.col("passage_day_count", "replayed_day_count").fill_null(0).cast(pl.Int64)
    )
    length = pl.col("month_date").dt.month_end().dt.day()
    return days.with_columns(is_complete_month=pl.col("passage_day_count") == length)


def _told(rows: pl.DataFrame, found: Estimates) -> pl.DataFrame:
    """The rows with their reasons; small counts, and what would tell them, are null."""
    matched, ring = pl.col("matched_count"), pl.col("matched_ring_count")
    hidden = pl.any_horizontal(is_small(count) for count in (ring, matched - ring))
    values = {
        "numerator_count": pl.col("numerator").round(1),
        "denominator_count": pl.col("denominator").round(1),
        "matched_ring_count": ring,
        "read_rate_cordon": pl.col("read_rate_cordon").round(_DIGITS),
        "read_rate_ring": pl.col("read_rate_ring").round(_DIGITS),
        "diversion_share_naive": pl.col("naive_share").round(_DIGITS),
        "diversion_share": pl.col("share").round(_DIGITS),
        "diversion_share_low": pl.col("low").round(_DIGITS),
        "diversion_share_high": pl.col("high").round(_DIGITS),
    }
    has_days = pl.col("passage_day_count") > 0
    missing = pl.when(has_days).then(pl.lit(NO_TRIPS)).otherwise(pl.lit(NO_PASSAGES))
    without = missing if found.has_roles else pl.lit(NO_STATIONS)
    is_range = matched.is_not_null() & ~hidden & pl.col("share").is_null()
    return rows.with_columns(
        *(pl.when(~hidden).then(value).alias(name) for name, value in values.items()),
        matched_count=pl.when(~hidden | (matched >= SMALLEST_COUNT)).then(matched),
        method=pl.when(is_range).then(pl.lit(METHOD_WITHOUT_AUDITS)).otherwise(pl.lit(METHOD)),
        reason=pl.when(matched.is_null())
        .then(without)
        .when(hidden)
        .then(pl.lit(SUPPRESSED))
        .when(is_range)
        .then(pl.lit(NO_AUDITS)),
    )
