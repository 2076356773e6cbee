"""What the ring road moved off the city's streets: km, hours and exhaust of through traffic.

For each month that has ended and each class of vehicle, on a mean day with passages:

    avoided = sum over pairs of cordon stations of trips on the ring x what the city's way takes

Trips on the ring are those of `marts.ring_road_diversion` and, by pair, of `marts.through_trips`:
the same trips, read rates and shares. Lengths of ways are modelled and times matched
(`ring_road.ways`), so every figure is at best *modelled*. Bounds are those of the share.

It is what was taken off the way through the city, cordon to cordon, and not what was saved: the
ring's way is longer, and its own km, hours and exhaust stand beside. What these trips would have
done without the ring is not told either: some would not have been made.

*Exhaust* of heavy vehicles: factors by speed of EMEP/EEA 2019 (`emissions.engines`), a way's speed
being its km by its hours. Passages tell no Euro class, so it is a range from the cleanest diesel
engine to the dirtiest. They tell no weight either: the vehicle is a heavy diesel of 15 to 18 t (the
guidebook's standard bus, whose factors are at hand), and a road train emits more. No factors are
at hand for other classes.

Nothing is told by pair. Pairs whose counts `marts.through_trips` hides are taken to be like the
mean of the told ones, since the sum of their km would give them away.
"""

from __future__ import annotations

from collections.abc import Iterator

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.emissions.classes import UNKNOWN, kind_of
from pipelines.marts.emissions.engines import Pollutant
from pipelines.marts.matched_trips import MatchedTrips, reading_stations
from pipelines.marts.ring_road.ways import ROAD_DETOUR, WAYS, ways
from pipelines.marts.ring_road_diversion import HEAVY, RingRoadDiversion
from pipelines.marts.through_trips import ThroughTrips
from pipelines.night import Night, weakest_mark
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

METHOD = f"matched plates, audited read rates; straight line x {ROAD_DETOUR}"
EMISSIONS = "EMEP/EEA 2019, diesel of 15 to 18 t, all Euro classes"
OTHER_SPEED = "times of seldom driven pairs by the speed of the others"
OTHER_PAIRS = "pairs that are not told by the mean of the others"

ALL_HIDDEN = "every pair has too few trips on one of the two ways"
NOT_TIMED = "too few trips of any pair on one of the two ways to time it"

# Unit of each pollutant, and how many grams it has.
UNITS: dict[Pollutant, tuple[str, float]] = {
    "NOx": ("kg", 1_000.0),
    "PM10": ("kg", 1_000.0),
    "CO2e": ("tonne", 1_000_000.0),
}
_GROUP = ("month_date", "vehicle_class")
_DIGITS, _GRAM_DIGITS = 1, 4


def _amount(unit: str, description: str, *, least: int | None = 0) -> dy.Float64:
    return dy.Float64(
        nullable=True, min=least, metadata={"unit": f"{unit}/day"}, description=description
    )


class RingRoadMoved(Figure):
    """One row per service date, month that has ended and class of vehicle."""

    month_date = dy.Date(primary_key=True, description="First day of the local month of entry.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class as the station of entry told it."
    )
    ring_trips_per_day = _amount("trips", "Through trips on the ring, corrected for unread plates.")
    ring_trips_per_day_low = _amount("trips", "Lower 95 % bound of it.")
    ring_trips_per_day_high = _amount("trips", "Upper 95 % bound of it.")
    city_km_avoided_per_day = _amount("km", "Km of the city's way that these trips did not drive.")
    city_km_avoided_per_day_low = _amount("km", "Lower 95 % bound of it.")
    city_km_avoided_per_day_high = _amount("km", "Upper 95 % bound of it.")
    city_hours_avoided_per_day = _amount("h", "Hours of the city's way that they did not drive.")
    city_hours_avoided_per_day_low = _amount("h", "Lower 95 % bound of it.")
    city_hours_avoided_per_day_high = _amount("h", "Upper 95 % bound of it.")
    ring_km_per_day = _amount("km", "Km that they drove on the ring's way instead.")
    ring_hours_per_day = _amount("h", "Hours that they drove there.")
    extra_km_per_day = _amount("km", "ring_km_per_day less city_km_avoided_per_day.", least=None)
    city_nox_kg_avoided_per_day_low = _amount("kg", "NOx not emitted on the city's way, at least.")
    city_nox_kg_avoided_per_day_high = _amount("kg", "NOx not emitted there, at most.")
    city_pm10_kg_avoided_per_day_low = _amount("kg", "PM10 of the exhaust, as NOx, at least.")
    city_pm10_kg_avoided_per_day_high = _amount("kg", "PM10 of the exhaust, as NOx, at most.")
    city_co2e_tonne_avoided_per_day_low = _amount("tonne", "CO2e, as NOx, at least.")
    city_co2e_tonne_avoided_per_day_high = _amount("tonne", "CO2e, as NOx, at most.")
    ring_nox_kg_per_day_low = _amount("kg", "NOx emitted on the ring's way instead, at least.")
    ring_nox_kg_per_day_high = _amount("kg", "NOx emitted there, at most.")
    ring_pm10_kg_per_day_low = _amount("kg", "PM10 of the exhaust there, at least.")
    ring_pm10_kg_per_day_high = _amount("kg", "PM10 of the exhaust there, at most.")
    ring_co2e_tonne_per_day_low = _amount("tonne", "CO2e there, at least.")
    ring_co2e_tonne_per_day_high = _amount("tonne", "CO2e there, at most.")

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Km and hours of both ways are all told exactly where no reason says why not."""
        told = [pl.col(name).is_not_null() for name in _DRIVEN]
        return pl.all_horizontal(told) == pl.col("reason").is_null()

    @dy.rule()
    def exhaust_of_heavy_vehicles(cls) -> pl.Expr:  # noqa: N805  # as above
        """The exhaust of heavy vehicles is told where their hours are, that of others never."""
        told = [pl.col(name).is_not_null() for name in cls.column_names() if _is_exhaust(name)]
        expected = (pl.col("vehicle_class") == HEAVY) & pl.col("reason").is_null()
        return pl.all_horizontal(is_told == expected for is_told in told)

    @dy.rule()
    def within_bounds(cls) -> pl.Expr:  # noqa: N805  # as above
        """The bounds enclose the value."""
        return pl.all_horizontal(
            pl.col(name).is_between(f"{name}_low", f"{name}_high") for name in _BOUNDED
        )

    @dy.rule()
    def ranges_in_order(cls) -> pl.Expr:  # noqa: N805  # as above
        """The least exhaust is at most the most."""
        return pl.all_horizontal(
            pl.col(name) <= pl.col(f"{name.removesuffix('_low')}_high")
            for name in cls.column_names()
            if _is_exhaust(name) and name.endswith("_low")
        )


_BOUNDED = ("ring_trips_per_day", "city_km_avoided_per_day", "city_hours_avoided_per_day")
_DRIVEN = (*_BOUNDED, "ring_km_per_day", "ring_hours_per_day", "extra_km_per_day")


def _is_exhaust(name: str) -> bool:
    return any(f"_{pollutant.lower()}_" in name for pollutant in UNITS)


def compute_ring_road_moved(
    night: Night,
    *,
    ring_road_diversion: dy.DataFrame[RingRoadDiversion],
    through_trips: dy.DataFrame[ThroughTrips],
    matched_trips: dy.DataFrame[MatchedTrips],
    count_stations: dy.DataFrame[CountStations],
) -> dy.DataFrame[RingRoadMoved]:
    """Rows of the months before the service date's; the first two inputs are of the same night."""
    ended = pl.col("month_date") < night.service_date.replace(day=1)
    is_told = pl.col("matched_count").is_not_null() & pl.col("diversion_share").is_not_null()
    through = pl.DataFrame(through_trips).filter(ended)
    pairs = ways(through.filter(is_told), matched_trips, reading_stations(count_stations))
    means = _means(_with_grams(pairs)).join(_pair_counts(through), on=_GROUP, how="left")
    classes = pl.DataFrame(ring_road_diversion).filter(ended)
    rows = _told(classes.join(means, on=_GROUP, how="left", maintain_order="left"))
    marked = rows.with_columns(mark=pl.lit(weakest_mark({night.mark, "modelled"})))
    stamped = stamp(marked, night, method=METHOD)
    return RingRoadMoved.validate(
        stamped.select(RingRoadMoved.column_names()).sort(_GROUP), cast=True
    )


def _with_grams(pairs: pl.DataFrame) -> pl.DataFrame:
    """Least and most grams that a heavy vehicle emits on each way of a pair."""
    engines = kind_of("diesel", UNKNOWN)
    columns = []
    for way in WAYS:
        known = pairs.get_column(f"{way}_km"), pairs.get_column(f"{way}_hours")
        km = known[0].cast(pl.Float64).to_numpy()
        speed_kmh = km / known[1].cast(pl.Float64).to_numpy()
        for pollutant in UNITS:
            for end, factor in zip(
                ("low", "high"), engines.bounds(pollutant, speed_kmh), strict=True
            ):
                grams = pl.Series(f"{way}_{pollutant}_{end}", km * factor, nan_to_null=True)
                columns.append(grams)
    return pairs.with_columns(columns)


def _means(pairs: pl.DataFrame) -> pl.DataFrame:
    """What a trip on the ring avoids and drives, mean over the told pairs of a month and class.

    Pairs weigh by their trips on the ring; where none is told to have any, by all their trips.
    """
    ring = pl.col("trips_per_day") * pl.col("diversion_share")
    weight = pl.when(ring.sum().over(_GROUP) > 0).then(ring).otherwise("trips_per_day")
    weighed = pairs.with_columns(weight=weight).filter(pl.col("weight") > 0)
    values = [name for name in pairs.columns if name.startswith(tuple(f"{way}_" for way in WAYS))]
    known = [pl.when(pl.col(name).is_not_null()).then("weight").sum() for name in values]
    return weighed.group_by(_GROUP, maintain_order=True).agg(
        *(
            ((pl.col(name) * pl.col("weight")).sum() / total).alias(name).fill_nan(None)
            for name, total in zip(values, known, strict=True)
        ),
        placed_pair_count=pl.len(),
        is_timed=pl.all_horizontal(f"is_timed_{way}" for way in WAYS).all(),
    )


def _pair_counts(through: pl.DataFrame) -> pl.DataFrame:
    return through.group_by(_GROUP).agg(pair_count=pl.len())


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with values, bounds and reasons."""
    all_trips = pl.col("denominator_count") / pl.col("passage_day_count")
    trips = {end: all_trips * pl.col(f"diversion_share{end}") for end in ("", "_low", "_high")}
    is_timed = pl.all_horizontal(pl.col(f"{way}_hours").is_not_null() for way in WAYS)
    reason = (
        pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("city_km").is_null())
        .then(pl.lit(ALL_HIDDEN))
        .when(~is_timed)
        .then(pl.lit(NOT_TIMED))
    )
    driven = pl.col("city_km").is_not_null() & pl.col("reason").is_null()
    values = {
        f"{name}{end}": (count * pl.col(mean) if mean else count).round(_DIGITS)
        for name, mean in zip(_BOUNDED, ("", "city_km", "city_hours"), strict=True)
        for end, count in trips.items()
    }
    values |= {
        "ring_km_per_day": (trips[""] * pl.col("ring_km")).round(_DIGITS),
        "ring_hours_per_day": (trips[""] * pl.col("ring_hours")).round(_DIGITS),
    }
    extra = pl.col("ring_km_per_day") - pl.col("city_km_avoided_per_day")
    exhaust = dict(_exhaust(trips["_low"], trips["_high"]))
    is_heavy = (pl.col("vehicle_class") == HEAVY) & driven & is_timed
    return rows.with_columns(
        *(pl.when(driven).then(value).alias(name) for name, value in values.items()),
        *(pl.when(is_heavy).then(value).alias(name) for name, value in exhaust.items()),
        method=_method(),
        reason=reason,
    ).with_columns(extra_km_per_day=extra.round(_DIGITS))


def _exhaust(low: pl.Expr, high: pl.Expr) -> Iterator[tuple[str, pl.Expr]]:
    """Least and most exhaust: the fewest trips with the cleanest engine to the most, dirtiest."""
    for way, avoided in zip(WAYS, ("_avoided", ""), strict=True):
        for pollutant, (unit, grams) in UNITS.items():
            for end, trips in (("low", low), ("high", high)):
                name = f"{way}_{pollutant.lower()}_{unit}{avoided}_per_day_{end}"
                mean = pl.col(f"{way}_{pollutant}_{end}")
                yield name, (trips * mean / grams).round(_GRAM_DIGITS)


def _method() -> pl.Expr:
    """What the row stands on, in words."""
    is_told = pl.col("placed_pair_count").is_not_null()
    parts = {
        EMISSIONS: pl.col("vehicle_class") == HEAVY,
        OTHER_SPEED: is_told & ~pl.col("is_timed"),
        OTHER_PAIRS: is_told & (pl.col("placed_pair_count") < pl.col("pair_count")),
    }
    said = [pl.when(holds).then(pl.lit(f"; {words}")) for words, holds in parts.items()]
    return pl.concat_str(pl.lit(METHOD), *(one.fill_null("") for one in said))
