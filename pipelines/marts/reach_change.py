"""Why reach changed between two dates: timetable, stops, population, streets, or method.

    after - before = method + timetable + stops + population + streets

`before` and `after` are what was published of the two dates. With today's code the figure of the
earlier date is computed again, and then one of its inputs after the other is replaced by that of
the later date; what each step changes is its share of the change, so that the sum is exact:

1. *method*: today's code on the earlier date's own inputs, less what was published. Boundaries of
   districts count as method: the later ones are taken for both dates.
2. *timetable*: which stops are called at, stops lying where they lay. A stop is the earlier feed's
   one of the same id, or if it has none the one within `SAME_PLACE_M`: feeds are numbered anew.
3. *stops*: where stops lie, and stops that are new.
4. *population*: the grid.
5. *streets*: the walking network, so that the whole change is made up.

In another order the steps would share the change in another way. A date is compared with the latest
one before it and with one a year before, both of the same kind of day
(`pipelines.warehouse.compared`).

Left out: accessibility by travel time, which each step would have to be routed for anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TypeVar, cast

import dataframely as dy
import polars as pl
from scipy.spatial import cKDTree

from pipelines.contracts.figure import one_of, stamp
from pipelines.errors import ContractError
from pipelines.marts.bus_reach import BUS, BusReach
from pipelines.marts.metro_reach import METRO, MetroReach
from pipelines.marts.rail_reach import RAIL, RailReach
from pipelines.marts.reach.catchment import arc_m, on_unit_sphere
from pipelines.marts.reach.people import PEOPLE_DECIMALS, SHARE_DECIMALS, Scoped, places
from pipelines.marts.reach.residents import compute_reach
from pipelines.marts.reach.service import Mode, Timetable, placed_stops
from pipelines.marts.reach.stop_places import SAME_PLACE_M
from pipelines.marts.reach.walking import Walkways
from pipelines.night import Night
from pipelines.staging.districts import Districts
from pipelines.staging.gtfs import Routes, ServiceDates, Stops, StopTimes, Trips
from pipelines.staging.gtfs.governing import with_assumed_services
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

FEED = ("source_id", "version_id")
TONIGHT = "tonight"
COMPARED = ("latest before", "year before")
DECIMALS = {"residents_within_count": PEOPLE_DECIMALS, "reach_share": SHARE_DECIMALS}
STEPS = ("timetable", "stops", "population", "streets")
CHANGES = ("method", *STEPS)
METHOD = f"one input replaced at a time: {', '.join(STEPS)}; the rest is method"

Contract = TypeVar("Contract", bound=dy.Schema)
Values = Mapping[tuple[str, str], Mapping[str, float | None]]  # by scope and column


def _change(what: str) -> dy.Float64:
    return dy.Float64(nullable=True, description=f"Change that {what} made, in the figure's unit.")


class ReachChange(Scoped):
    """One row per service date, scope, figure and earlier date that it is compared with."""

    figure_table = one_of(
        *("marts.bus_reach", "marts.metro_reach", "marts.rail_reach"),
        primary_key=True,
        description="Table of the figure.",
    )
    figure_column = one_of(*DECIMALS, primary_key=True, description="Its column.")
    compared_with = one_of(*COMPARED, primary_key=True, description="Which earlier date it is.")
    compared_date = dy.Date(description="The earlier date.")
    before_value = dy.Float64(nullable=True, description="What was published of the earlier date.")
    after_value = dy.Float64(nullable=True, description="What is published of the service date.")
    change = dy.Float64(nullable=True, description="after_value - before_value.")
    method_change = _change("code, assumptions and boundaries of districts")
    timetable_change = _change("the timetable (which stops are served)")
    stops_change = _change("stops that moved or are new")
    population_change = _change("the population grid")
    streets_change = _change("the walking network")

    @dy.rule()
    def parts_make_the_change(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """The five parts sum to the change, or none is there."""
        parts = [pl.col(f"{name}_change") for name in CHANGES]
        total = pl.sum_horizontal(parts, ignore_nulls=False)
        is_whole = (total - pl.col("change")).abs() < 10.0**-SHARE_DECIMALS / 2
        return is_whole.fill_null(value=True) & (total.is_null() <= pl.col("reason").is_not_null())


@dataclass(frozen=True)
class Side:
    """The inputs of one date, and what tells them from another date's."""

    night: Night
    timetable: Timetable
    cells: dy.DataFrame[PopulationCells]
    nodes: dy.DataFrame[StreetNodes]
    links: dy.DataFrame[StreetLinks]

    def on(self, governing: pl.DataFrame) -> Side:
        """Of inputs of several dates those that govern one, by its rows of `compared_nights`."""
        day: date = governing.item(0, "night_date")
        all_of = self.timetable
        assumed = governing.filter("is_assumed").select(FEED).rows()
        dates = with_assumed_services(
            own(governing, all_of.service_dates), assumed, (day - timedelta(days=1), day)
        )
        timetable = Timetable(
            cast("dy.DataFrame[ServiceDates]", dates),
            own(governing, all_of.trips),
            own(governing, all_of.stop_times),
            own(governing, all_of.routes),
            own(governing, all_of.stops),
        )
        return Side(
            replace(self.night, service_date=day),
            timetable,
            own(governing, self.cells),
            own(governing, self.nodes),
            own(governing, self.links),
        )

    def identity(self, step: str) -> tuple[object, ...]:
        """What says that an input is the same as another date's."""
        if step == "timetable":
            running = self.timetable.service_dates.filter(service_date=self.night.service_date)
            return tuple(sorted(running.select(*FEED, "service_id").rows()))
        frames = {"stops": self.timetable.stops, "population": self.cells, "streets": self.links}
        return tuple(sorted(set(frames[step].select(FEED).iter_rows())))


@dataclass
class Recomputation:
    """A figure by today's code on inputs of two dates; each combination is computed once."""

    mode: Mode
    districts: dy.DataFrame[Districts]
    known: dict[object, Values] = field(default_factory=dict)

    def values(self, of: Mapping[str, Side]) -> Values:
        """The figure by scope, with each input taken from a side. ContractError as in reach."""
        key = tuple(of[step].identity(step) for step in STEPS)
        if key not in self.known:
            timetable = _with_stops_of(of["timetable"].timetable, of["stops"].timetable.stops)
            reached = compute_reach(
                of["timetable"].night,
                self.mode,
                timetable,
                of["population"].cells,
                self.districts,
                walkways=Walkways.of(of["streets"].nodes, of["streets"].links),
            )
            self.known[key] = by_scope(reached)
        return self.known[key]


def compute_reach_change(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
    metro_reach: dy.DataFrame[MetroReach],
    bus_reach: dy.DataFrame[BusReach],
    rail_reach: dy.DataFrame[RailReach],
    past_metro_reach: dy.DataFrame[MetroReach],
    past_bus_reach: dy.DataFrame[BusReach],
    past_rail_reach: dy.DataFrame[RailReach],
    compared_nights: pl.DataFrame,
) -> dy.DataFrame[ReachChange]:
    """What made the change since each compared date, sorted by key; no rows without such a date."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    every = Side(night, timetable, population_cells, street_nodes, street_links)
    sides = {
        str(name): every.on(governing)
        for (name,), governing in compared_nights.group_by("compared_with")
    }
    later = sides.get(TONIGHT, every)
    boundaries = own(compared_nights.filter(compared_with=TONIGHT), districts)
    rows: list[dict[str, object]] = []
    for table, mode, after, past in (
        ("metro_reach", METRO, metro_reach, past_metro_reach),
        ("bus_reach", BUS, bus_reach, past_bus_reach),
        ("rail_reach", RAIL, rail_reach, past_rail_reach),
    ):
        again = Recomputation(mode, boundaries)
        again.known[tuple(later.identity(step) for step in STEPS)] = by_scope(after)
        for name in COMPARED:
            if name in sides:
                day = sides[name].night.service_date
                before = past.filter(pl.col("service_date") == day)
                path = _path(again, sides[name], later)
                rows += [
                    {
                        "figure_table": f"marts.{table}",
                        "compared_with": name,
                        "compared_date": day,
                        **row,
                    }
                    for row in _rows(path, before, after, day)
                ]
    types = {name: column.dtype for name, column in ReachChange.columns().items()}
    told = {name: kind for name, kind in types.items() if not rows or name in rows[0]}
    frame = pl.DataFrame(rows, schema=told)
    stamped = stamp(frame, night, method=METHOD).select(ReachChange.column_names())
    return ReachChange.validate(stamped.sort(ReachChange.primary_key()))


def own(governing: pl.DataFrame, rows: dy.DataFrame[Contract]) -> dy.DataFrame[Contract]:
    """The rows of the versions that govern a date."""
    mine = rows.join(governing, on=FEED, how="semi", maintain_order="left")
    return cast("dy.DataFrame[Contract]", mine)


def by_scope(reached: pl.DataFrame) -> Values:
    """Values of a figure of reach by scope; by nobody's reach, where nothing is served, none."""
    return {
        (row["scope_type"], row["scope_id"]): {
            name: 0.0 if row[name] is None and row["residents_count"] else row[name]
            for name in DECIMALS
        }
        for row in reached.iter_rows(named=True)
    }


def _with_stops_of(timetable: Timetable, stops: pl.DataFrame) -> Timetable:
    """The timetable with its stops where they lay in other versions, and without those not there.

    The same versions leave it as it is.
    """
    if set(stops.select(FEED).rows()) == set(timetable.stops.select(FEED).rows()):
        return timetable
    here, there = placed_stops(timetable.stops), placed_stops(stops)
    there = there.drop_nulls(["latitude", "longitude"])
    names = [FEED[0], "stop_id"]
    by_id = here.select(*FEED, "stop_id").join(
        there.select(*names, stop_lat="latitude", stop_lon="longitude"), on=names
    )
    rest = here.join(by_id, on=[*FEED, "stop_id"], how="anti").drop_nulls(["latitude", "longitude"])
    lying = pl.concat([by_id, _at_nearest(rest, there).select(by_id.columns)])
    placed = timetable.stops.drop("stop_lat", "stop_lon").join(lying, on=[*FEED, "stop_id"])
    calls = timetable.stop_times.join(lying, on=[*FEED, "stop_id"], how="semi")
    return replace(
        timetable,
        stops=cast("dy.DataFrame[Stops]", placed.select(timetable.stops.columns)),
        stop_times=cast("dy.DataFrame[StopTimes]", calls),
    )


def _at_nearest(stops: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Stops that lie within `SAME_PLACE_M` of another one: stop_lat and stop_lon of that."""
    lat, lon = pl.col("latitude"), pl.col("longitude")
    if stops.is_empty() or others.is_empty():
        return stops.clear().with_columns(stop_lat=lat, stop_lon=lon)
    chord, nearest = cKDTree(on_unit_sphere(places(others))).query(on_unit_sphere(places(stops)))
    there = others[nearest].select(stop_lat=lat, stop_lon=lon)
    return stops.hstack(there).filter(pl.Series(arc_m(chord) <= SAME_PLACE_M))


def _path(again: Recomputation, earlier: Side, later: Side) -> list[Values] | str:
    """The figure as one input after the other becomes the later date's; or why it can't be told."""
    try:
        return [
            again.values({step: later if at < done else earlier for at, step in enumerate(STEPS)})
            for done in range(len(STEPS) + 1)
        ]
    except ContractError as error:
        return str(error)


def _rows(
    path: list[Values] | str, before: pl.DataFrame, after: pl.DataFrame, day: date
) -> Iterator[dict[str, object]]:
    """A figure's rows against one earlier date: all scopes of the later date, both columns."""
    earlier = {(row["scope_type"], row["scope_id"]): row for row in before.iter_rows(named=True)}
    for row in after.iter_rows(named=True):
        scope = (row["scope_type"], row["scope_id"])
        was = earlier.get(scope)
        for column, decimals in DECIMALS.items():
            start = None if was is None else was[column]
            end = row[column]
            fault = path if isinstance(path, str) else _reason(row, was, column, day)
            values: list[float] | None = None
            if fault is None and not isinstance(path, str):
                values = [start or 0.0, *(of[scope][column] or 0.0 for of in path)]
            yield {
                **{key: row[key] for key in ("scope_type", "scope_id", "scope_name", "mark")},
                "reason": fault,
                "figure_column": column,
                "before_value": start,
                "after_value": end,
                "change": None if start is None or end is None else round(end - start, decimals),
                **_parts(values, decimals),
            }


def _reason(
    now: Mapping[str, object], was: Mapping[str, object] | None, column: str, day: date
) -> str | None:
    """Why a change can't be split: one of its ends is null."""
    if now[column] is None:
        return str(now["reason"])
    if was is None:
        return f"no figure of this scope on {day}"
    return f"on {day}: {was['reason']}" if was[column] is None else None


def _parts(values: list[float] | None, decimals: int) -> dict[str, float | None]:
    """What each step changed, along the values from what was published to the later date's."""
    if values is None:
        return {f"{name}_change": None for name in CHANGES}
    return {
        f"{name}_change": round(after - before, decimals)
        for name, (before, after) in zip(CHANGES, pairwise(values), strict=True)
    }
