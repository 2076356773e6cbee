"""The two ways between two cordon stations: how long each is, and how long it takes.

No network of roads for vehicles is at hand, so a way's length is modelled: the straight line from
one cordon station to the other (through the city), and the straight lines by the ring station that
lies farthest off (on the ring), each times `ROAD_DETOUR`. Which ring stations lie on the way of a
pair is read off its trips, as for read rates (`read_rates.stations_on_the_way`).

A way's time is the geometric mean of its trips as `marts.through_trips` tells it, where at least
`limits.FEWEST_TRIPS_OF_A_WAY` were matched. Where fewer were, the way is driven at the mean speed
of the month's others of its class: all their km by all their hours.
"""

from __future__ import annotations

import polars as pl

from pipelines.marts.matched_trips import ALL, ANY, THROUGH
from pipelines.marts.ring_road.limits import FEWEST_TRIPS_OF_A_WAY
from pipelines.marts.ring_road.matching import PAIR, straight_km
from pipelines.marts.ring_road.read_rates import stations_on_the_way

# Road over straight distance, on both ways. Ours: main roads of a city with a grid of streets, and
# radials that lead to it; the factor that walks without a street network take.
ROAD_DETOUR = 1.3
WAYS = ("city", "ring")
_GROUP = ("month_date", "vehicle_class")


def ways(told: pl.DataFrame, matched: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Length and time of both ways of each pair whose trips are told.

    `told` are rows of `marts.through_trips` with counts, `matched` those of `marts.matched_trips`,
    `stations` those of cordon and ring, each once. A row per month, class and pair whose stations
    are known: `told`'s columns, city_km, ring_km (null where no ring station read the pair),
    city_hours, ring_hours (null where nothing tells the way's speed), is_timed_city,
    is_timed_ring (whether the pair's own trips do).
    """
    placed = told.join(_lengths(matched, stations), on=["month_date", *PAIR], how="left").filter(
        pl.col("city_km").is_not_null()
    )
    ring = pl.col("matched_ring_count")
    trips = {"city": pl.col("matched_count") - ring, "ring": ring}
    return placed.with_columns(
        expression for way in WAYS for expression in _times(way, trips[way])
    ).sort(*_GROUP, *PAIR)


def _lengths(matched: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Modelled km of both ways by month and pair."""
    straight = straight_km(stations)
    month = pl.col("service_date").dt.month_start().alias("month_date")
    through = matched.filter(pl.col("directions") == THROUGH).with_columns(month)
    read = (
        through.filter(~pl.col("reader").is_in([ALL, ANY]))
        .group_by("month_date", *PAIR, station_id="reader")
        .agg(pl.col("trip_count").sum())
    )
    first, second = (
        straight.rename({end: "station_id", "straight_km": f"{end}_leg_km"}) for end in PAIR[::-1]
    )
    past = (
        stations_on_the_way(read)
        .join(first, on=[PAIR[0], "station_id"])
        .join(second, on=["station_id", PAIR[1]])
        .group_by("month_date", *PAIR)
        .agg(ring_km=pl.sum_horizontal(f"{end}_leg_km" for end in PAIR).max() * ROAD_DETOUR)
    )
    return (
        through.select("month_date", *PAIR)
        .unique()
        .join(straight, on=PAIR)
        .select("month_date", *PAIR, city_km=pl.col("straight_km") * ROAD_DETOUR)
        .join(past, on=["month_date", *PAIR], how="left")
    )


def _times(way: str, trips: pl.Expr) -> list[pl.Expr]:
    km, minutes = pl.col(f"{way}_km"), pl.col(f"{way}_minutes")
    is_timed = ((trips >= FEWEST_TRIPS_OF_A_WAY) & minutes.is_not_null()).fill_null(value=False)
    timed = pl.when(is_timed & km.is_not_null()).then(trips)
    speed_kmh = (timed * km).sum().over(_GROUP) / (timed * minutes / 60).sum().over(_GROUP)
    known = pl.when(speed_kmh.is_finite()).then(km / speed_kmh)
    return [
        pl.when(is_timed).then(minutes / 60).otherwise(known).alias(f"{way}_hours"),
        is_timed.alias(f"is_timed_{way}"),
    ]
