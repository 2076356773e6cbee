"""Whether streets and places fit each other, before anybody walks.

A stop that no street passes within `SNAP_LIMIT_M` is reached by nobody. Beyond the streets' extent
that is how far their extract goes. Within it the feed or the streets are wrong: such stops are
counted, and a trip that calls at no other stop is used by no result at all, which is an error.
So is a grid without a single cell near a street: the streets are those of another place.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.errors import ContractError, sample_text
from pipelines.marts.reach.people import places
from pipelines.marts.reach.service import Mode, Timetable, served_stops, stranded_trips
from pipelines.marts.reach.walking import Walkways

UNLINKED = "is_unlinked"


def linked_stops(
    timetable: Timetable, mode: Mode, service_date: date, walkways: Walkways
) -> pl.DataFrame:
    """The stops of `served_stops`, and whether each `is_unlinked` within the streets' extent.

    ContractError where a stop has no place, or a trip calls at unlinked stops alone.
    """
    stops = served_stops(timetable, mode, service_date)
    at = places(stops)
    stops = stops.with_columns(pl.Series(UNLINKED, walkways.unlinked(at) & ~walkways.beyond(at)))
    unlinked = stops.filter(UNLINKED)
    if unlinked.height:
        stranded = stranded_trips(timetable, mode, service_date, unlinked)
        if stranded.height:
            raise ContractError(
                f"No street links the stops of {stranded.height} {mode.name} trips "
                f"on {service_date}: {sample_text(stranded.get_column('trip_id').to_list())}, "
                f"at stops {sample_text(unlinked.get_column('stop_id').to_list())}.",
                "Look at the stops' coordinates, or ask for an extract with the streets there.",
            )
    return stops


def linked_cells(cells: pl.DataFrame, walkways: Walkways) -> pl.DataFrame:
    """The cells, and whether each `is_unlinked`. ContractError where all of them are."""
    unlinked = walkways.unlinked(places(cells))
    if len(unlinked) and unlinked.all():
        raise ContractError(
            f"None of the {cells.height} population cells lies near a street.",
            "Take the streets of this city, or leave its streets out.",
        )
    return cells.with_columns(pl.Series(UNLINKED, unlinked, dtype=pl.Boolean))
