"""What travel times of a night stand on, by mode set: a fingerprint of it, or why there are none.

    inputs_id = SHA-256 of the runs in the departure window (times after the day's start, of the
                dates before too), the places of their stops, pathways, transfers, streets, the
                window, the cells with their people, and opportunities

It does not stand on the date, on names of versions, or on trips that don't ride in the window: two
nights, and two mode sets, of which all that is the same have one `inputs_id`, and travel times
(`marts.travel_times`) are computed once for them.

A mode set without trips in the window (Sundays are legitimate) has none, and `reason` says why for
each feed. Left out: assumptions and code, which the tables by inputs are made again for anyway.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.reach.mode_sets import MODE_SET_NAMES, MODE_SETS, ModeSet
from pipelines.marts.reach.network import VERSION, Network, digest_of, riding, rows_text
from pipelines.marts.reach.people import NO_GRID
from pipelines.marts.reach.routing.coverage import services
from pipelines.marts.reach.routing.feeds import Feeds
from pipelines.marts.reach.routing.router import DRAWS
from pipelines.marts.reach.walking import Walkways
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
from pipelines.staging.opportunities import Opportunities
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

ID_LENGTH = 32  # characters of the hash that are kept: 128 bits
NO_FEED = "no GTFS feed"


class ReachInputs(Figure):
    """One row per service date and mode set."""

    mode_set = one_of(
        *MODE_SET_NAMES, primary_key=True, description="By which modes, and whether without steps."
    )
    inputs_id = dy.String(
        nullable=True,
        regex=rf"^[0-9a-f]{{{ID_LENGTH}}}$",
        description="Fingerprint of all inputs but the date; null where nothing is computed.",
    )
    feeds = dy.String(description="Feeds with such trips in the window, comma-separated.")
    feeds_without_trips = dy.String(description="Feeds without, comma-separated.")
    run_count = dy.Int64(min=0, description="Runs that may ride in the window or soon after.")
    stop_count = dy.Int64(min=0, description="Stops at which they call.")
    cell_count = dy.Int64(min=0, description="Cells of the population grid.")
    draw_count = dy.Int64(
        min=1, description="Draws of the runs that are known by their headway only; 1: none is."
    )

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """The inputs are there, or the reason why nothing is computed."""
        return pl.col("inputs_id").is_not_null() | pl.col("reason").is_not_null()


def compute_reach_inputs(
    night: Night,
    *,
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
    opportunities: dy.DataFrame[Opportunities],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
) -> dy.DataFrame[ReachInputs]:
    """Inputs of every mode set on the night's date, sorted by key.

    ContractError where frequencies repeat trips without end.
    """
    feeds = Feeds(
        *(feed_versions, service_dates, trips, stop_times, frequencies),
        *(routes, stops, transfers, pathways),
    )
    shared = [
        rows_text(rows.drop(VERSION))
        for rows in (population_cells, opportunities, street_nodes, street_links)
    ]
    in_window = riding(feeds, night)
    rows = [
        _row(mode_set, Network.of(in_window, night, mode_set), feeds, population_cells, shared)
        for mode_set in MODE_SETS
    ]
    own = {name: column.dtype for name, column in ReachInputs.columns().items() if name in rows[0]}
    method = Walkways.of(street_nodes, street_links).method
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method=method, windowed=True)
    ordered = stamped.select(ReachInputs.column_names()).sort(ReachInputs.primary_key())
    return ReachInputs.validate(ordered)


def _row(
    mode_set: ModeSet, network: Network, feeds: Feeds, cells: pl.DataFrame, shared: list[str]
) -> dict[str, object]:
    served = services(feeds, network.timetable)
    reason = _reason(mode_set, network, served, cells)
    is_served = pl.col("trip_count") > 0
    return {
        "mode_set": mode_set.name,
        "inputs_id": None if reason else digest_of(network.identity(), *shared)[:ID_LENGTH],
        "reason": reason,
        "feeds": _names(served.filter(is_served)),
        "feeds_without_trips": _names(served.filter(~is_served)),
        "run_count": network.run_count,
        "stop_count": network.stop_count,
        "cell_count": cells.height,
        "draw_count": DRAWS if network.timetable.is_drawn else 1,
    }


def _reason(
    mode_set: ModeSet, network: Network, served: pl.DataFrame, cells: pl.DataFrame
) -> str | None:
    if served.is_empty():
        return NO_FEED
    if cells.is_empty():
        return NO_GRID
    if not network.run_count:
        why = "; ".join(served.get_column("reason").drop_nulls())
        return f"no {mode_set.trips} in the window: {why}"
    return None if network.is_ridden else f"no stop where {mode_set.trips} take anybody in or out"


def _names(served: pl.DataFrame) -> str:
    return ", ".join(sorted(set(served.get_column("source_id"))))
