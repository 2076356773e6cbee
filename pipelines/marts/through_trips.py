"""Through trips: from where to where vehicles cross the city, and which way they take.

For each month that has ended, class of vehicle and ordered pair of cordon stations: how many trips
were matched and how many they stand for, the share of them on the ring road with its interval, how
long both ways take, and the limit beyond which a trip was a visit. The definitions are those of
`marts.ring_road_diversion`, whose rows are the sums over all pairs.

Counts of 1 to 4 trips are null with the reason, and so are those of further pairs where the total
would give a small one away (`ring_road.suppression`). The running month is left out: what one
night told less what the night before told would be the trips of one day.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, share, stamp
from pipelines.marts.matched_trips import MatchedTrips, minutes
from pipelines.marts.ring_road.estimates import Estimates, delivered_dates, estimate_through
from pipelines.marts.ring_road.limits import BALANCE, FREE_FLOW
from pipelines.marts.ring_road.matching import PAIR
from pipelines.marts.ring_road.suppression import SMALLEST_COUNT, is_small, with_hidden
from pipelines.marts.toll_audits import TollAudits
from pipelines.night import Night
from pipelines.staging.passages import PassageDays, ReadAudits
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

METHOD = "matched plates, audited read rates"
SUPPRESSED = (
    f"fewer than {SMALLEST_COUNT} matched trips on one of the two ways, here or in a pair that "
    f"these would give away"
)
NO_AUDITS = "no read audits: the bounds are a range for readers of the ring"
_KEY = ("month_date", "vehicle_class", *PAIR)
_DIGITS = 6


def _count(description: str) -> dy.Int64:
    return dy.Int64(
        nullable=True, min=SMALLEST_COUNT, metadata={"unit": "trips"}, description=description
    )


def _minutes(description: str) -> dy.Float64:
    return dy.Float64(nullable=True, min=0, metadata={"unit": "min"}, description=description)


class ThroughTrips(Figure):
    """One row per service date, ended month, class and ordered pair of stations with trips."""

    month_date = dy.Date(primary_key=True, description="First day of the local month of entry.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class as the station of entry told it."
    )
    entry_station_id = dy.String(primary_key=True, description="Station of entry.")
    exit_station_id = dy.String(primary_key=True, description="Station of exit.")
    matched_count = _count("Through trips as matched, both ends read.")
    matched_ring_count = dy.Int64(
        nullable=True,
        min=0,
        metadata={"unit": "trips"},
        description="Matched trips that a ring station read in between.",
    )
    trips_per_day = dy.Float64(
        nullable=True,
        min=0,
        metadata={"unit": "trips/day"},
        description="Through trips on a mean day with passages, corrected for unread plates.",
    )
    diversion_share = share("Share of them on the ring, corrected for unread plates.")
    diversion_share_low = share("Lower 95 % bound, or lower end of the range.")
    diversion_share_high = share("Upper 95 % bound, or upper end of the range.")
    read_rate_cordon = share("Chance that one of its two stations reads a plate.")
    read_rate_ring = share("Chance that at least one ring station on the way reads a plate.")
    ring_minutes = _minutes("Geometric mean time of the trips read on the ring.")
    city_minutes = _minutes("Geometric mean time of the others.")
    limit_minutes = _minutes("Longest time of a through trip, mean over the hours of entry.")
    limit_source = one_of(
        *(BALANCE, FREE_FLOW), nullable=True, description="Where the limit comes from."
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
        ring = pl.col("matched_ring_count")
        counts = (ring, pl.col("matched_count") - ring)
        return ~pl.any_horizontal(is_small(count) for count in counts)


def compute_through_trips(
    night: Night,
    *,
    matched_trips: dy.DataFrame[MatchedTrips],
    passage_days: dy.DataFrame[PassageDays],
    count_stations: dy.DataFrame[CountStations],
    read_audits: dy.DataFrame[ReadAudits],
    toll_audits: dy.DataFrame[TollAudits],
) -> dy.DataFrame[ThroughTrips]:
    """Rows of the months before the service date's; inputs as for `compute_ring_road_diversion`."""
    last_date = night.service_date
    delivered = delivered_dates(passage_days, matched_trips)
    found = estimate_through(
        matched_trips, count_stations, [read_audits, toll_audits], delivered, last_date
    )
    ended = pl.col("month_date") < last_date.replace(day=1)
    pairs = found.by("vehicle_class", *PAIR).filter(ended)
    rows = with_hidden(
        pairs.with_columns(other_count=pl.col("matched_count") - pl.col("matched_ring_count")),
        ["month_date", "vehicle_class"],
        PAIR,
        ["matched_ring_count", "other_count"],
    )
    days = (
        pl.DataFrame({"service_date": delivered})
        .group_by(month_date=pl.col("service_date").dt.month_start())
        .agg(passage_day_count=pl.len())
    )
    told = _told(rows.join(days, on="month_date").join(_times(found), on=_KEY, how="left"))
    stamped = stamp(told, night, method=METHOD)
    return ThroughTrips.validate(stamped.select(ThroughTrips.column_names()).sort(_KEY), cast=True)


def _times(found: Estimates) -> pl.DataFrame:
    """Mean time by each way, and the limit, of each month, class and pair."""
    on_ring, log_minutes = pl.col("is_read_on_ring"), pl.col("log_minutes")
    means = {
        name: (log_minutes.filter(way).sum() / pl.col("trip_count").filter(way).sum()).exp()
        for name, way in (("ring_minutes", on_ring), ("city_minutes", ~on_ring))
    }
    taken = found.through.trips.group_by(_KEY, maintain_order=True).agg(
        **{name: pl.when(mean.is_finite()).then(mean.round(1)) for name, mean in means.items()}
    )
    longest = found.through.limits.group_by(_KEY, maintain_order=True).agg(
        limit_minutes=minutes(pl.col("limit_bin")).mean().round(1),
        limit_source=pl.col("limit_source").sort().last(),
    )
    return taken.join(longest, on=_KEY)


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    values = {
        "matched_count": pl.col("matched_count"),
        "matched_ring_count": pl.col("matched_ring_count"),
        "trips_per_day": (pl.col("denominator") / pl.col("passage_day_count")).round(2),
        "diversion_share": pl.col("share").round(_DIGITS),
        "diversion_share_low": pl.col("low").round(_DIGITS),
        "diversion_share_high": pl.col("high").round(_DIGITS),
        "read_rate_cordon": pl.col("read_rate_cordon").round(_DIGITS),
        "read_rate_ring": pl.col("read_rate_ring").round(_DIGITS),
        "ring_minutes": pl.col("ring_minutes"),
        "city_minutes": pl.col("city_minutes"),
        "limit_minutes": pl.col("limit_minutes"),
        "limit_source": pl.col("limit_source"),
    }
    hidden = pl.col("is_hidden")
    return rows.with_columns(
        *(pl.when(~hidden).then(value).alias(name) for name, value in values.items()),
        reason=pl.when(hidden)
        .then(pl.lit(SUPPRESSED))
        .when(pl.col("share").is_null())
        .then(pl.lit(NO_AUDITS)),
    )
