"""Suburban rail: trains a day each way, stations, the time from end to end, and who lives near.

Suburban rail is GTFS route type 2 and the extended types 100 to 117. There is a row for each route
and direction that a feed knows, whether trains run on the date or not; a train that frequencies.txt
repeats counts as often as it leaves. A direction is GTFS's direction_id; where the feed gives none,
trains that go the way of the route's longest trip have 0 and those against it 1.

The time from end to end is that of the trains between the two stations that most trains of the
direction begin and end at (of two alike the farther by time): the median of departure to arrival.
Platforms of one station (`parent_station`) are one. Residents live within a walk of 1,000 m of a
stop that the direction serves, as `pipelines.marts.reach.residents` counts them.

Left out: whether trains run as scheduled, and who rides.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.rail_reach import RAIL
from pipelines.marts.reach.linking import linked_stops
from pipelines.marts.reach.people import ESTIMATES, PEOPLE, counted, grid_reasons, places
from pipelines.marts.reach.service import Timetable
from pipelines.marts.reach.walking import Walkways
from pipelines.marts.service import FEED, departures_by_trip, trips_on
from pipelines.night import Night
from pipelines.staging.gtfs import Frequencies, Routes, ServiceDates, Stops, StopTimes, Trips
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

ROUTE, TRIP, STOP = (*FEED, "route_id"), (*FEED, "trip_id"), (*FEED, "stop_id")
WAY = (*ROUTE, "direction_id")
_MINUTES = {"unit": "minute"}


class SuburbanRail(Figure):
    """One row per service date, feed, suburban rail route and direction."""

    source_id = dy.String(primary_key=True, description="Feed.")
    route_id = dy.String(primary_key=True, description="Route, unique in its feed.")
    direction_id = dy.Int32(primary_key=True, min=0, max=1, description="Direction of travel.")
    version_id = dy.String(description="Feed version that governs the date.")
    route_short_name = dy.String(nullable=True, description="Number or letter riders know.")
    route_long_name = dy.String(nullable=True, description="Full name.")
    train_count = dy.Int64(min=0, description="Trains on the date, repetitions counted.")
    station_count = dy.Int64(min=0, description="Stations that they call at.")
    first_station_name = dy.String(nullable=True, description="Where most of them begin.")
    last_station_name = dy.String(nullable=True, description="Where these end.")
    start_seconds = dy.Int32(
        nullable=True,
        metadata={"unit": "second"},
        description="Departure of the first train, as written, after the service day's start.",
    )
    end_seconds = dy.Int32(
        nullable=True,
        metadata={"unit": "second"},
        description="Departure of the last train, as written, after the service day's start.",
    )
    end_to_end_minutes = dy.Float64(
        nullable=True,
        min=0,
        metadata=_MINUTES,
        description="Median scheduled time from the first to the last station.",
    )
    residents_within_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents within a walk of 1,000 m of its stops, middle estimate.",
    )
    residents_within_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P10 (bound under full correlation).",
    )
    residents_within_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P90 (bound under full correlation).",
    )

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Trains and the people near them are there, or the reason why not."""
        is_told = pl.all_horizontal(
            pl.col("end_to_end_minutes", "residents_within_count").is_not_null()
        )
        return is_told | pl.col("reason").is_not_null()


def compute_suburban_rail(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    frequencies: dy.DataFrame[Frequencies],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    population_cells: dy.DataFrame[PopulationCells],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
) -> dy.DataFrame[SuburbanRail]:
    """Suburban rail on the night's date, sorted by key; errors as in `compute_reach`."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    walkways = Walkways.of(street_nodes, street_links)
    rail = routes.filter(pl.col("route_type").is_in(sorted(RAIL.route_types)))
    calls = _calls(trips.join(rail, on=ROUTE, how="semi"), stop_times, stops)
    journeys = _journeys(calls)
    ways = journeys.select(WAY).unique()
    running = trips_on(night.service_date, journeys, service_dates).join(
        departures_by_trip(frequencies), on=TRIP, how="left"
    )
    running = running.with_columns(pl.col("departure_count").fill_null(1))
    served = calls.drop("direction_id").join(running.select(*TRIP, "direction_id"), on=TRIP)
    near = _residents(night, timetable, served, population_cells, walkways)
    names = stops.select(*FEED, place="stop_id", name="stop_name")
    rows = (
        ways.join(rail.select(*ROUTE, "route_short_name", "route_long_name"), on=ROUTE)
        .join(_trains(running), on=WAY, how="left")
        .join(_stations(served), on=WAY, how="left")
        .join(_ends(running, names), on=WAY, how="left")
        .join(near, on=WAY, how="left")
        .with_columns(pl.col("train_count", "station_count").fill_null(0))
    )
    judged = rows.with_columns(reason=_reason(night, grid_reasons(population_cells)))
    stamped = stamp(judged, night, method=walkways.method)
    return SuburbanRail.validate(
        stamped.select(SuburbanRail.column_names()).sort(SuburbanRail.primary_key())
    )


def _calls(trips: pl.DataFrame, stop_times: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """Calls of rail trips, each with its station as `place`, in order."""
    station = pl.coalesce("parent_station", "stop_id")
    columns = (*TRIP, "stop_sequence", "stop_id", "arrival_seconds", "departure_seconds")
    return (
        stop_times.select(columns)
        .join(trips.select(*TRIP, "route_id", "service_id", "direction_id"), on=TRIP)
        .join(stops.select(*STOP, place=station), on=STOP)
        .sort(*TRIP, "stop_sequence")
    )


def _journeys(calls: pl.DataFrame) -> pl.DataFrame:
    """One row per trip: its route, service and direction, and where and when it begins and ends."""
    journeys = calls.group_by(*TRIP, "route_id", "service_id", maintain_order=True).agg(
        pl.first("direction_id"),
        call_count=pl.len(),
        first_place=pl.first("place"),
        last_place=pl.last("place"),
        start_seconds=pl.first("departure_seconds"),
        minutes=(pl.last("arrival_seconds") - pl.first("departure_seconds")) / 60,
    )
    longest = (
        journeys.sort("call_count", *TRIP, descending=[True, *[False] * 3])
        .unique(ROUTE, keep="first", maintain_order=True)
        .select(TRIP)
    )
    along = (
        calls.join(longest, on=TRIP, how="semi")
        .unique([*ROUTE, "place"], keep="first", maintain_order=True)
        .select(*ROUTE, "place", at="stop_sequence")
    )
    for end in ("first", "last"):
        at = along.rename({"place": f"{end}_place", "at": f"{end}_at"})
        journeys = journeys.join(at, on=[*ROUTE, f"{end}_place"], how="left")
    is_back = (pl.col("last_at") < pl.col("first_at")).fill_null(value=False)
    return journeys.with_columns(pl.coalesce("direction_id", is_back.cast(pl.Int32)))


def _trains(running: pl.DataFrame) -> pl.DataFrame:
    return running.group_by(WAY).agg(
        pl.min("start_seconds"),
        train_count=pl.sum("departure_count"),
        end_seconds=pl.max("start_seconds"),
    )


def _stations(served: pl.DataFrame) -> pl.DataFrame:
    return served.group_by(WAY).agg(station_count=pl.col("place").n_unique().cast(pl.Int64))


def _ends(running: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """The two stations that most trains of a direction link, and the time between them."""
    ends = [*WAY, "first_place", "last_place"]
    linked = running.group_by(ends).agg(
        pl.sum("departure_count"), end_to_end_minutes=pl.median("minutes")
    )
    most = linked.sort(
        *WAY, "departure_count", "end_to_end_minutes", "first_place", "last_place",
        descending=[*[False] * len(WAY), True, True, False, False],
    ).unique(WAY, keep="first", maintain_order=True)  # fmt: skip
    for end in ("first", "last"):
        named = names.rename({"place": f"{end}_place", "name": f"{end}_station_name"})
        most = most.join(named, on=[*FEED, f"{end}_place"], how="left")
    return most.select(*WAY, "first_station_name", "last_station_name", "end_to_end_minutes")


def _residents(
    night: Night,
    timetable: Timetable,
    served: pl.DataFrame,
    population_cells: pl.DataFrame,
    walkways: Walkways,
) -> pl.DataFrame:
    """Residents near the stops of each route and direction that runs."""
    stops = linked_stops(timetable, RAIL, night.service_date, walkways)
    walks = walkways.walks(places(population_cells), places(stops), RAIL.distance_m)
    ends = stops.select(STOP)[walks.get_column("to_index")]
    near = walks.select(cell="from_index").hstack(ends)
    lacking = [*grid_reasons(population_cells)]
    rows = []
    for way, calls in served.select(*WAY, "stop_id").unique().group_by(WAY):
        reached = near.join(calls, on=STOP, how="semi").get_column("cell").unique()
        people = counted(population_cells[reached], lacking, "residents_within")
        rows.append({**dict(zip(WAY, way, strict=True)), **people})
    columns = (*WAY, *(f"residents_within_{estimate}" for estimate in ESTIMATES))
    types = SuburbanRail.columns()
    return pl.DataFrame(rows, schema={name: types[name].dtype for name in columns})


def _reason(night: Night, of_grid: dict[str, str]) -> pl.Expr:
    no_trains = pl.lit(f"no trains on {night.service_date}")
    no_times = pl.lit("no times at its ends")
    return pl.concat_str(
        pl.when(pl.col("train_count") == 0)
        .then(no_trains)
        .when(pl.col("end_to_end_minutes").is_null())
        .then(no_times),
        pl.lit("; ".join(of_grid.values()) or None, pl.String),
        separator="; ",
        ignore_nulls=True,
    ).replace("", None)
