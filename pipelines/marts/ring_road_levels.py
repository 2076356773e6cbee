"""Published traffic levels beside ours: the same place, the same days, all vehicles.

    ours  = mean over the place's stations of each one's mean daily volume on the days of the
            period on which it counted whole and its sensor was sound (`health.broken_days`)
    ratio = ours / published

A place is the station that the statement names, or all stations of the role that it names (the
ring's). A station counts with at least LEAST_DAY_SHARE of the period's days, a role with at least
LEAST_STATION_SHARE of its stations. Where two statements are a pair, each carries its ratio to the
one before, the published one and ours: a fall from "over 74,000" to "about 48,000" is 0.65.

What was published stands as it was published, with its word ("about", "over"), and is marked so;
`mark` is that of ours. Nothing follows from the ratio by itself: "over" is a bound. Left out: a
statement without a period or a station has no figure of ours; missing days are not made up for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, NamedTuple

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.ring_road.health.broken_days import broken_days
from pipelines.marts.ring_road.station_days import station_days
from pipelines.night import MARKS, Mark, Night, weakest_mark
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.published_levels import QUALIFIERS, PublishedLevels
from pipelines.staging.traffic import ALL, STATION_ROLES, CountStations

# Ours: with fewer days, or gantries, a mean is one of what happened to be counted.
LEAST_DAY_SHARE = 0.5
LEAST_STATION_SHARE = 0.5
METHOD = "mean of complete days"
NO_PERIOD = "the statement names no period"
NO_STATION = "no count station stands for the place"
NO_SHARE = "the share of vehicles that don't enter the city is not measured"
_VEHICLES = {"unit": "vehicles/day"}
_RATIO = {"unit": "ratio"}
_PUBLISHED: Mark = "published"
_RATIO_DIGITS = 6


class RingRoadLevels(Figure):
    """One row per service date and published statement."""

    level_id = dy.String(primary_key=True, description="Short name of the statement.")
    place_name = dy.String(description="Place, as published.")
    road_name = dy.String(nullable=True, description="Road that it lies on.")
    station_id = dy.String(nullable=True, description="Count station that stands there.")
    station_role = one_of(
        *STATION_ROLES, nullable=True, description="Role of the count stations that stand there."
    )
    period_from_date = dy.Date(nullable=True, description="First day that it is about.")
    period_to_date = dy.Date(nullable=True, description="Last day that it is about.")
    what = dy.String(description="What was counted or designed, in words.")
    published_qualifier = one_of(
        *QUALIFIERS, nullable=True, description="Word that stood beside it; null where none did."
    )
    published_vehicles_per_day = dy.Int64(
        nullable=True, min=1, metadata=_VEHICLES, description="Vehicles a day, as published."
    )
    published_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="Share of the traffic that does not enter the city, as published.",
    )
    published_mark = one_of(*MARKS, description="What was published is published, always.")
    published_date = dy.Date(nullable=True, description="Day on which it was told, where known.")
    source_address = dy.String(description="Where it was published.")
    vehicles_per_day = dy.Float64(
        nullable=True, min=0, metadata=_VEHICLES, description="Ours: mean daily volume."
    )
    ratio_to_published = dy.Float64(
        nullable=True, min=0, metadata=_RATIO, description="Ours over the published one."
    )
    station_count = dy.Int64(
        min=0, metadata={"unit": "stations"}, description="Stations that ours stands on."
    )
    counted_day_count = dy.Int64(
        min=0, metadata={"unit": "days"}, description="Station-days that ours stands on."
    )
    pair_id = dy.String(nullable=True, description="Statements to be compared with each other.")
    published_ratio_to_before = dy.Float64(
        nullable=True,
        min=0,
        metadata=_RATIO,
        description="Published level over that of the pair's period before.",
    )
    ratio_to_before = dy.Float64(
        nullable=True, min=0, metadata=_RATIO, description="The same of ours."
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Ours is null exactly where a reason says why."""
        return pl.col("vehicles_per_day").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def published_is_published(cls) -> pl.Expr:  # noqa: N805  # as above
        """What was published is never called anything else."""
        return pl.col("published_mark") == _PUBLISHED


class _Counted(NamedTuple):
    """Mean daily volume and counted days of one station in one period."""

    mean: float
    day_count: int


def compute_ring_road_levels(
    night: Night,
    *,
    published_levels: dy.DataFrame[PublishedLevels],
    count_stations: dy.DataFrame[CountStations],
    count_station_days: dy.DataFrame[CountStationDays],
    marks: Mapping[str, Mark],
) -> dy.DataFrame[RingRoadLevels]:
    """Every statement that the night knows, sorted by key; `marks` are those of the sources."""
    days = _sound_days(count_station_days, count_stations, night.service_date)
    by_role = {
        role: sorted(rows.get_column("station_id").unique())
        for (role,), rows in count_stations.group_by("role")
    }
    named = {*count_stations.get_column("source_id"), *count_station_days.get_column("source_id")}
    mark = weakest_mark({marks[source_id] for source_id in named})
    levels = _known(published_levels, night.service_date)
    rows = []
    for level in levels.iter_rows(named=True):
        ours = _ours(level, _stations(level, by_role), days)
        is_told = ours.get("vehicles_per_day") is not None
        rows.append({**_published(level), **ours, "mark": mark if is_told else _PUBLISHED})
    schema = {name: column.dtype for name, column in RingRoadLevels.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name not in _ADDED_LATER}
    stamped = stamp(_with_ratios(pl.DataFrame(rows, schema=own)), night, method=METHOD)
    return RingRoadLevels.validate(stamped.select(schema.keys()).sort(RingRoadLevels.primary_key()))


_ADDED_LATER = (
    *("service_date", "day_type", "departure_window", "method"),
    *("ratio_to_published", "published_ratio_to_before", "ratio_to_before"),
)
_AS_TOLD = (
    *("level_id", "place_name", "road_name", "station_id", "station_role", "what", "pair_id"),
    *("period_from_date", "period_to_date", "published_date", "source_address"),
)


def _sound_days(
    count_station_days: pl.DataFrame, count_stations: pl.DataFrame, last_date: date
) -> pl.DataFrame:
    """Days on which all vehicles were counted from end to end, by a sound sensor."""
    days = station_days(count_station_days, last_date)
    broken = broken_days(days, count_stations.get_column("station_id").unique())
    whole = days.filter(pl.col("vehicle_class") == ALL, pl.col("vehicle_count").is_not_null())
    return whole.join(broken, on=["station_id", "service_date"], how="anti")


def _known(levels: pl.DataFrame, service_date: date) -> pl.DataFrame:
    """Each statement once, those that were told after the night left out."""
    told_on = pl.coalesce("published_date", "period_to_date")
    once = levels.sort("source_id", "version_id", "level_id").unique(
        "level_id", keep="first", maintain_order=True
    )
    return once.filter((told_on <= service_date).fill_null(value=True))


def _published(level: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: level[name] for name in _AS_TOLD},
        "published_qualifier": level["qualifier"],
        "published_vehicles_per_day": level["vehicles_per_day"],
        "published_share": level["not_entering_share"],
        "published_mark": _PUBLISHED,
    }


def _stations(level: Mapping[str, Any], by_role: Mapping[str, list[str]]) -> list[str]:
    named = level["station_id"]
    return [named] if named else by_role.get(level["station_role"], [])


def _ours(
    level: Mapping[str, Any], station_ids: Collection[str], days: pl.DataFrame
) -> dict[str, Any]:
    """Our level and what it stands on, or why there is none."""
    first, last = level["period_from_date"], level["period_to_date"]
    nothing = {"station_count": 0, "counted_day_count": 0}
    if level["vehicles_per_day"] is None:
        return {**nothing, "reason": NO_SHARE}
    if first is None:
        return {**nothing, "reason": NO_PERIOD}
    if not station_ids:
        return {**nothing, "reason": NO_STATION}
    fewest = LEAST_DAY_SHARE * ((last - first).days + 1)
    found = _counted(days, station_ids, first, last)
    counted = [station for station in found if station.day_count >= fewest]
    if len(counted) < LEAST_STATION_SHARE * len(station_ids) or not counted:
        reason = (
            f"{len(counted)} of {len(station_ids)} stations have sound counts of half of the days"
        )
        return {**nothing, "reason": reason}
    mean = sum(station.mean for station in counted) / len(counted)
    return {
        "vehicles_per_day": round(mean, 1),
        "station_count": len(counted),
        "counted_day_count": sum(station.day_count for station in counted),
    }


def _counted(
    days: pl.DataFrame, station_ids: Collection[str], first: date, last: date
) -> list[_Counted]:
    rows = (
        days.filter(
            pl.col("station_id").is_in(list(station_ids)),
            pl.col("service_date").is_between(first, last),
        )
        .group_by("station_id")
        .agg(pl.col("vehicle_count").mean().alias("mean"), pl.len().alias("day_count"))
        .sort("station_id")
    )
    return [_Counted(mean, count) for mean, count in rows.select("mean", "day_count").iter_rows()]


def _with_ratios(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with ours over published, and both over the pair's period before."""
    ours, published = pl.col("vehicles_per_day"), pl.col("published_vehicles_per_day")

    def to_before(level: pl.Expr) -> pl.Expr:
        ratio = level / level.shift(1).over("pair_id", order_by="period_from_date")
        return pl.when(pl.col("pair_id").is_not_null()).then(ratio).round(_RATIO_DIGITS)

    return rows.with_columns(
        ratio_to_published=(ours / published).round(_RATIO_DIGITS),
        published_ratio_to_before=to_before(published),
        ratio_to_before=to_before(ours),
    )
