"""Access by cell: how far the stops are, how often something leaves, and the PTAL index.

One row for each cell of the population grid, for maps and for analysts' own splits; what is
published of the city and its districts are `marts.metro_reach` and its like,
`marts.access_typology` and `marts.ptal`.

- Walks to the nearest stop that the mode serves on the date, up to the limits of SDG 11.2.1
  (1,000 m metro and suburban rail, 500 m bus); null beyond, or where the mode does not run.
- Departures an hour, and the class by them: `pipelines.marts.reach.access_class`. The class is
  defined for weekdays: on other days it is null, the departures are the date's own.
- PTAL index and band: `pipelines.marts.reach.access_index`.

Left out: cells' outlines; the row's place is the cell's centroid.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.bus_reach import BUS
from pipelines.marts.metro_reach import METRO
from pipelines.marts.rail_reach import RAIL
from pipelines.marts.reach import access_class as classes
from pipelines.marts.reach import access_index as index
from pipelines.marts.reach.linking import linked_cells, linked_stops
from pipelines.marts.reach.people import PEOPLE, places, residents
from pipelines.marts.reach.service import Mode, Timetable
from pipelines.marts.reach.stop_places import place_numbers
from pipelines.marts.reach.supply import departures_per_hour
from pipelines.marts.reach.walking import Walkways
from pipelines.marts.service import FEED
from pipelines.night import Night
from pipelines.staging.districts import Districts
from pipelines.staging.gtfs import (
    FeedVersions,
    Frequencies,
    Routes,
    ServiceDates,
    Stops,
    StopTimes,
    Trips,
)
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

TRAM = Mode("tram", distance_m=1_000, route_types=frozenset({0, *range(900, 907)}))
MODES = (METRO, RAIL, TRAM, BUS)
STOP = (*FEED, "stop_id")
WALK_DECIMALS = 1
DAY, HOUR = "day", "hour"  # the windows of departures for classes and for the index
# How a reason begins, by what is null.
NO_CLASS, NO_INDEX = "no class of access: ", "no index: "


class CellAccess(Figure):
    """One row per service date and cell of the population grid."""

    source_id = dy.String(primary_key=True, description="Grid.")
    cell_id = dy.String(primary_key=True, description="Cell as the grid names it.")
    district_id = dy.String(nullable=True, description="District that holds the centroid.")
    latitude = dy.Float64(metadata={"unit": "degree"}, description="Of the centroid, WGS 84.")
    longitude = dy.Float64(metadata={"unit": "degree"}, description="Of the centroid, WGS 84.")
    population_p10 = dy.Float64(
        nullable=True, metadata=PEOPLE, description="Residents, low estimate (P10)."
    )
    population_p50 = dy.Float64(metadata=PEOPLE, description="Residents, middle estimate.")
    population_p90 = dy.Float64(
        nullable=True, metadata=PEOPLE, description="Residents, high estimate (P90)."
    )
    population_rescaled = dy.Float64(
        metadata=PEOPLE,
        description="Residents with exact district totals met, elsewhere the middle estimate.",
    )
    metro_walk_m = dy.Float64(
        nullable=True,
        metadata={"unit": "m"},
        description="Walk to the nearest metro stop served on the date; null beyond 1,000 m.",
    )
    rail_walk_m = dy.Float64(
        nullable=True,
        metadata={"unit": "m"},
        description="Walk to the nearest suburban rail stop; null beyond 1,000 m.",
    )
    bus_walk_m = dy.Float64(
        nullable=True,
        metadata={"unit": "m"},
        description="Walk to the nearest bus or trolleybus stop; null beyond 500 m.",
    )
    bus_tram_departures_per_hour = dy.Float64(
        nullable=True,
        min=0,
        description="06:00-20:00, of the best place within 5 minutes on foot; 0 without one.",
    )
    metro_rail_departures_per_hour = dy.Float64(
        nullable=True,
        min=0,
        description="06:00-20:00, of the best place within 10 minutes on foot; 0 without one.",
    )
    access_class = one_of(
        *classes.CLASSES, nullable=True, description="Class of access by departures."
    )
    ptal_index = dy.Float64(
        nullable=True, min=0, description="TfL's index of access, 08:15-09:15; 0 without access."
    )
    ptal_band = one_of(*index.BANDS, nullable=True, description="Band of the index.")

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Class and band are there, or the reason why not."""
        are_there = pl.all_horizontal(pl.col("access_class", "ptal_band").is_not_null())
        return are_there | pl.col("reason").is_not_null()


def compute_cell_access(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    frequencies: dy.DataFrame[Frequencies],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    feed_versions: dy.DataFrame[FeedVersions],
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
) -> dy.DataFrame[CellAccess]:
    """Access of every cell on the night's date, sorted by key; errors as in `compute_reach`."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    walkways = Walkways.of(street_nodes, street_links)
    cells = linked_cells(residents(population_cells, districts), walkways)
    served = _served(timetable, night, walkways)
    windows = {DAY: classes.DAYTIME, HOUR: index.PEAK}
    supply = departures_per_hour(night, windows, timetable, frequencies, feed_versions)
    rates = _rates(supply, served, routes)
    walks = _walks(cells, served, walkways)
    rows = (
        cells.with_row_index("cell")
        .join(_nearest_m(walks), on="cell", how="left")
        .join(classes.best_departures(walks, _in_window(rates, DAY)), on="cell", how="left")
        .join(_indices(walks, _in_window(rates, HOUR)), on="cell", how="left")
        .sort("cell")
    )
    judged = _judged(rows, night, timetable, rates)
    stamped = stamp(judged, night, method=walkways.method)
    return CellAccess.validate(
        stamped.select(CellAccess.column_names()).sort(CellAccess.primary_key())
    )


def _served(timetable: Timetable, night: Night, walkways: Walkways) -> pl.DataFrame:
    """Stops by mode that serves them on the date: their place, numbered `stop` and `place`."""
    by_mode = [
        linked_stops(timetable, mode, night.service_date, walkways).with_columns(
            mode=pl.lit(mode.name)
        )
        for mode in MODES
    ]
    stops = pl.concat(by_mode).with_columns(stop=pl.struct(STOP).rank("dense"))
    return stops.with_columns(place_numbers(stops))


def _rates(supply: pl.DataFrame, served: pl.DataFrame, routes: pl.DataFrame) -> pl.DataFrame:
    """Departures an hour by mode, stop, place, route and direction, a column per window."""
    modes = {kind: mode.name for mode in MODES for kind in mode.route_types}
    mode = pl.col("route_type").replace_strict(modes, default=None, return_dtype=pl.String)
    route = [*FEED, "route_id"]
    return (
        supply.join(routes.select(*route, mode=mode), on=route)
        .join(served.select(*STOP, "mode", "stop", "place"), on=[*STOP, "mode"])
        .select(
            *("mode", "stop", "place", "direction", DAY, HOUR), route=pl.struct(route).rank("dense")
        )
    )


def _in_window(rates: pl.DataFrame, window: str) -> pl.DataFrame:
    return rates.rename({window: "departures_per_hour"}).filter(pl.col("departures_per_hour") > 0)


def _walks(cells: pl.DataFrame, served: pl.DataFrame, walkways: Walkways) -> pl.DataFrame:
    """Walks from cells to the stops of each mode: cell, mode, stop, distance_m.

    Each as far as some figure needs it.
    """
    found = []
    for mode in MODES:
        stops = served.filter(pl.col("mode") == mode.name)
        limits = (
            mode.distance_m,
            index.LONGEST_WALK_M[mode.name],
            classes.LONGEST_WALK_M[classes.KINDS[mode.name]],
        )
        walks = walkways.walks(places(cells), places(stops), max(limits))
        ends = stops.select("mode", "stop")[walks.get_column("to_index")]
        found.append(walks.select(cell="from_index", distance_m="distance_m").hstack(ends))
    return pl.concat(found)


def _nearest_m(walks: pl.DataFrame) -> pl.DataFrame:
    """One row per cell with a stop in reach: the walk to the nearest of each mode."""
    return walks.group_by("cell").agg(
        pl.col("distance_m")
        .filter(pl.col("mode") == mode.name, pl.col("distance_m") <= mode.distance_m)
        .min()
        .cast(pl.Float64)
        .round(WALK_DECIMALS)
        .alias(column)
        for mode, column in ((METRO, "metro_walk_m"), (RAIL, "rail_walk_m"), (BUS, "bus_walk_m"))
    )


def _indices(walks: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    return index.access_indices(index.nearest_routes(walks, rates))


def _judged(
    rows: pl.DataFrame, night: Night, timetable: Timetable, rates: pl.DataFrame
) -> pl.DataFrame:
    """Classes and bands, zero where nothing is in reach; or null everywhere, and why."""
    slow, fast = classes.COLUMNS.values()
    no_departures = _no_departures(night, timetable, rates, DAY, "06:00 to 20:00")
    no_class = no_departures or (
        f"it is defined for weekdays, and {night.service_date} is a {night.day_type}"
        if night.day_type != "weekday"
        else None
    )
    no_index = _no_departures(night, timetable, rates, HOUR, "08:15 to 09:15")
    zeros = {slow: no_departures, fast: no_departures, "ptal_index": no_index}
    told = rows.with_columns(
        pl.lit(None, pl.Float64).alias(name) if lacking else pl.col(name).fill_null(0.0)
        for name, lacking in zeros.items()
    )
    reasons = [(NO_CLASS, no_class), (NO_INDEX, no_index)]
    reason = "; ".join(f"{what}{why}" for what, why in reasons if why) or None
    label = (
        pl.lit(None, pl.String) if no_class else classes.access_class(pl.col(slow), pl.col(fast))
    )
    return told.with_columns(
        access_class=label,
        ptal_band=index.band(pl.col("ptal_index")),
        reason=pl.lit(reason, pl.String),
    )


def _no_departures(
    night: Night, timetable: Timetable, rates: pl.DataFrame, window: str, hours: str
) -> str | None:
    """Why nothing leaves in a window; None where something does."""
    if not timetable.feeds:
        return "no GTFS feed"
    if (rates.get_column(window) > 0).any():
        return None
    feeds = ", ".join(f"'{feed}'" for feed in timetable.feeds)
    return f"no departures from {hours} on {night.service_date} in feeds {feeds}"
