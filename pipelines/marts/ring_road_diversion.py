"""Ring-road diversion: which share of the heavy through traffic takes the ring road.

Through traffic enters the city's cordon and leaves it elsewhere without stopping in it. The cordon
lies outside the ring road, so vehicles on either way cross it twice; readers on the ring tell the
way. The definition, step by step:

1. readings of one hashed plate at two cordon stations make a matched trip (`through_trips`),
2. a matched trip read by a ring station in between took the ring,
3. what readers miss is corrected by audited read rates (`read_rates`),
4. share = trips on the ring / all through trips, with its 95 % interval (`shares`).

Numerator, denominator, read rates and the naive share are always published beside the share.
The rows of one service date are the months with passages delivered up to it: some months stand on
all their days, some on one, and `passage_day_count` says on how many.

Counts of 1 to 4 trips could point at a haulier: they are null with the reason, and so is a count
that would give one away by subtraction. Left out: single trips, classes other than heavy, what
the trips would have done without the ring (that is an effect, not a share).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.ring_road.read_rates import audited_rates, ring_rates, stations_on_the_way
from pipelines.marts.ring_road.shares import LOWEST_PLAUSIBLE_RATE, MonthShare, month_shares
from pipelines.marts.ring_road.through_trips import (
    ThroughTrips,
    delivered_dates,
    match_through_trips,
)
from pipelines.night import Night
from pipelines.staging.traffic import CountStations, Passages, ReadAudits

SMALLEST_COUNT = 5
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


def _share(description: str) -> dy.Float64:
    return dy.Float64(
        nullable=True, min=0, max=1, metadata={"unit": "share"}, description=description
    )


def _count(description: str) -> dy.Int64:
    return dy.Int64(nullable=True, min=0, metadata={"unit": "trips"}, description=description)


def _estimated_count(description: str) -> dy.Float64:
    return dy.Float64(nullable=True, min=0, metadata={"unit": "trips"}, description=description)


class RingRoadDiversion(Figure):
    """One row per service date and month of entry into the cordon."""

    month_date = dy.Date(primary_key=True, description="First day of the local month.")
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
    is_complete_month = dy.Bool(description="Whether all days of the month have passages.")
    read_rate_cordon = _share(
        "Chance that a cordon station reads a plate: square root of matched over all trips."
    )
    read_rate_ring = _share(
        "Chance that at least one ring station on the way reads a plate, over trips on the ring."
    )
    diversion_share_naive = _share("matched_ring_count / matched_count: what was read alone.")
    diversion_share = _share("numerator_count / denominator_count, at most 1.")
    diversion_share_low = _share(
        "Lower 95 % bound; without audits the lower end of the range that read rates leave open."
    )
    diversion_share_high = _share("Upper 95 % bound, or upper end of the range.")

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
        too_small = [
            count.is_between(1, SMALLEST_COUNT - 1).fill_null(False)
            for count in (told, ring, told - ring)
        ]
        return ~pl.any_horizontal(too_small)


def compute_ring_road_diversion(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    passages: dy.DataFrame[Passages],
    read_audits: dy.DataFrame[ReadAudits],
) -> dy.DataFrame[RingRoadDiversion]:
    """Rows for every month with passages up to the service date, and for the date's own month.

    Station ids are one vocabulary for the three inputs, whatever source each comes from.
    """
    stations = (
        pl.DataFrame(count_stations)
        .filter(pl.col("role").is_in(["cordon", "ring"]))
        .sort("source_id", "version_id", "station_id")
        .unique("station_id", keep="first", maintain_order=True)
    )
    delivered = delivered_dates(passages, night.time_zone, night.service_date)
    month_dates = {*delivered.dt.month_start(), night.service_date.replace(day=1)}
    has_roles = stations.get_column("role").n_unique() == 2
    shares: dict[date, MonthShare] = {}
    if has_roles:
        through = match_through_trips(passages, stations, night.time_zone, night.service_date)
        shares = {month.month_date: month for month in _shares(through, stations, read_audits)}
    rows = [
        _row(month, delivered, shares.get(month), has_roles=has_roles)
        for month in sorted(month_dates)
    ]
    schema = {name: column.dtype for name, column in RingRoadDiversion.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name in rows[0]}
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method=METHOD)
    return RingRoadDiversion.validate(stamped.sort("month_date"))


def _shares(
    through: ThroughTrips, stations: pl.DataFrame, read_audits: pl.DataFrame
) -> list[MonthShare]:
    rates = audited_rates(read_audits, stations)
    if rates.get_column("read_rate").null_count():
        return month_shares(through.trips, None, None)
    on_the_way = stations_on_the_way(through.trips, through.ring_readings)
    return month_shares(through.trips, rates, ring_rates(on_the_way, rates))


def _row(
    month: date, delivered: pl.Series, found: MonthShare | None, *, has_roles: bool
) -> dict[str, object]:
    day_count = int((delivered.dt.month_start() == month).sum())
    row: dict[str, object] = {
        "method": METHOD,
        "reason": None,
        "month_date": month,
        "passage_day_count": day_count,
        "is_complete_month": day_count == monthrange(month.year, month.month)[1],
    }
    if found is None:
        missing = NO_TRIPS if day_count else NO_PASSAGES
        return {**row, **_values(None), "reason": missing if has_roles else NO_STATIONS}
    smaller = [found.matched_ring_count, found.matched_count - found.matched_ring_count]
    if any(0 < count < SMALLEST_COUNT for count in smaller):
        is_told = found.matched_count >= SMALLEST_COUNT
        told = found.matched_count if is_told else None
        return {**row, **_values(None), "matched_count": told, "reason": SUPPRESSED}
    if found.share is None:
        row |= {"method": METHOD_WITHOUT_AUDITS, "reason": NO_AUDITS}
    return {**row, **_values(found)}


def _values(found: MonthShare | None) -> dict[str, object]:
    """The month's values, rounded so that the last bits of sums don't show; null where none."""

    def rounded(name: str, digits: int = _DIGITS) -> float | None:
        value: float | None = getattr(found, name) if found else None
        return None if value is None else round(value, digits)

    return {
        "numerator_count": rounded("numerator", 1),
        "denominator_count": rounded("denominator", 1),
        "matched_count": found.matched_count if found else None,
        "matched_ring_count": found.matched_ring_count if found else None,
        "read_rate_cordon": rounded("read_rate_cordon"),
        "read_rate_ring": rounded("read_rate_ring"),
        "diversion_share_naive": rounded("naive_share"),
        "diversion_share": rounded("share"),
        "diversion_share_low": rounded("low"),
        "diversion_share_high": rounded("high"),
    }
