"""Travel times door to door from every cell to every other one, in the departure window.

A cell's centroid is its door. One walks to a stop (at most 15 minutes), rides, walks between stops
(at most 5 minutes) or changes as transfers.txt and pathways.txt say, and walks from the last stop
(at most 15 minutes); or walks all the way (at most 30). The times are the 25th, 50th and 75th
percentile over departures each minute of the window: `pipelines.marts.reach.routing.router` says
how they are found, `pipelines.marts.reach.assumptions` where the limits come from. Runs that are
known by their headway only are drawn several times over; `_error_` is the standard error that is
left, null where nothing is drawn.

Times hold for every night and mode set whose `inputs_id` they have (`marts.reach_inputs`). Pairs
farther apart than 120 minutes have no row, and a percentile that is longer is null. A cell is named
as its grid names it; where a city has several grids, after the grid's name and a slash.

Left out: fares, crowding, delays, cycling, and cars.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.marts.reach.assumptions import (
    ACCESS_LIMIT_M,
    DIRECT_LIMIT_M,
    LONGEST_MINUTES,
    PERCENTILES,
    TRANSFER_LIMIT_M,
)
from pipelines.marts.reach.linking import linked_cells
from pipelines.marts.reach.mode_sets import ALL, ModeSet, mode_set
from pipelines.marts.reach.network import Network, departures_of, riding
from pipelines.marts.reach.people import places
from pipelines.marts.reach.routing.changes import link
from pipelines.marts.reach.routing.coverage import require_links
from pipelines.marts.reach.routing.feeds import Feeds
from pipelines.marts.reach.routing.router import Router
from pipelines.marts.reach.routing.stations import on_foot
from pipelines.marts.reach.walking import Walkways
from pipelines.marts.reach_inputs import ReachInputs
from pipelines.night import Night
from pipelines.staging.gtfs import (
    FeedVersions,
    Frequencies,
    Pathways,
    Routes,
    ServiceDates,
    Stops,
    StopTimes,
    Transfers,
    Trips,
)
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

_LONGEST_SECONDS = LONGEST_MINUTES * 60
_SECONDS = {"unit": "seconds"}


def _time(percentile: int) -> dy.Int16:
    return dy.Int16(
        nullable=True,
        min=0,
        max=_LONGEST_SECONDS,
        metadata=_SECONDS,
        description=f"At most so long takes the way for {percentile} % of the departures.",
    )


def _error(percentile: int) -> dy.Float32:
    return dy.Float32(
        nullable=True,
        min=0,
        metadata=_SECONDS,
        description=f"Standard error of p{percentile}_seconds by the draws of headways.",
    )


class TravelTimes(dy.Schema):
    """One row per set of inputs and pair of cells within 120 minutes."""

    inputs_id = dy.String(primary_key=True, description="Inputs, as in marts.reach_inputs.")
    origin_cell_id = dy.String(primary_key=True, description="Cell where one sets out.")
    destination_cell_id = dy.String(primary_key=True, description="Cell where one arrives.")
    p25_seconds = _time(25)
    p50_seconds = _time(50)
    p75_seconds = _time(75)
    p25_error_seconds = _error(25)
    p50_error_seconds = _error(50)
    p75_error_seconds = _error(75)

    @dy.rule()
    def percentiles_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """A higher percentile is no shorter, and there only where the lower ones are."""
        times = [pl.col(f"p{percentile}_seconds") for percentile in PERCENTILES]
        far = pl.lit(_LONGEST_SECONDS + 1, pl.Int16)
        filled = [time.fill_null(far) for time in times]
        return (filled[0] <= filled[1]) & (filled[1] <= filled[2])


def compute_travel_times(
    night: Night,
    *,
    reach_inputs: dy.DataFrame[ReachInputs],
    feed_versions: dy.DataFrame[FeedVersions],
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    frequencies: dy.DataFrame[Frequencies],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    transfers: dy.DataFrame[Transfers],
    pathways: dy.DataFrame[Pathways],
    population_cells: dy.DataFrame[PopulationCells],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
) -> dy.DataFrame[TravelTimes]:
    """Times of the one set of inputs that `reach_inputs` has rows of, sorted by key.

    ContractError where streets and cells don't fit each other, and where trips ride that no result
    can use.
    """
    feeds = Feeds(
        *(feed_versions, service_dates, trips, stop_times, frequencies),
        *(routes, stops, transfers, pathways),
    )
    walkways = Walkways.of(street_nodes, street_links)
    cells = named_cells(linked_cells(population_cells, walkways))
    inputs_id, name = reach_inputs.sort("mode_set").select("inputs_id", "mode_set").row(0)
    times = _times(riding(feeds, night), night, mode_set(name), cells, walkways)
    names = pl.lit(cells.get_column("cell_id"))
    # Millions of rows, whose contract is checked when they are written.
    return TravelTimes.cast(
        times.select(
            pl.lit(inputs_id).alias("inputs_id"),
            names.gather("origin").alias("origin_cell_id"),
            names.gather("destination").alias("destination_cell_id"),
            *(pl.col(f"p{percentile}_seconds").cast(pl.Int16) for percentile in PERCENTILES),
            *(f"p{percentile}_error_seconds" for percentile in PERCENTILES),
        )
    )


def named_cells(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells in the order of their names, which are unique also where several grids have them."""
    if cells.get_column("source_id").n_unique() > 1:
        cells = cells.with_columns(cell_id=pl.concat_str("source_id", "cell_id", separator="/"))
    return cells.sort("cell_id")


def _times(
    feeds: Feeds, night: Night, travels: ModeSet, cells: pl.DataFrame, walkways: Walkways
) -> pl.DataFrame:
    network = Network.of(feeds, night, travels)
    timetable, doors = network.timetable, network.doors
    at = places(cells)
    foot = doors.foot(on_foot(walkways.walks(doors.points, doors.points, TRANSFER_LIMIT_M)))
    walks = on_foot(walkways.walks(at, doors.points, ACCESS_LIMIT_M))
    back = walks.rename({"from_index": "to_index", "to_index": "from_index"})
    access, egress = doors.access(walks), doors.egress(back)
    direct = on_foot(walkways.walks(at, at, DIRECT_LIMIT_M))
    if travels is ALL:
        require_links(timetable, doors.doors, access=access, egress=egress, foot=foot, cells=cells)
    router = Router.of(timetable, link(timetable, foot, feeds.transfers), departures_of(night))
    return router.travel_times(access, egress, direct)
