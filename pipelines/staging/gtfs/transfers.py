"""How riders change: transfers that a feed allows, times or forbids, and the ways inside stations.

A blank id of a transfer means any: a transfer without routes and trips holds for all of them, and
one at a station for all its platforms. A row that names what its feed lacks is refused, since with
that id blanked it would hold for more than it says.
Left out: which rule goes first where several fit (that is for whoever reads them), and of pathways
stairs, slopes, widths and signs.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.rows import staged
from pipelines.staging.gtfs.rules.rule import ROW
from pipelines.staging.gtfs.rules.transfers import LINKED
from pipelines.staging.gtfs.validation import Validation
from pipelines.staging.sift import Staged

_SECONDS = {"unit": "second"}


class Transfers(Versioned):
    """One row per rule for changing between two stops, routes or trips."""

    transfer_number = dy.Int32(
        primary_key=True, min=2, description="Row of the file; the header is row 1."
    )
    from_stop_id = dy.String(
        nullable=True, description="Stop or station where it begins; of linked trips null: any."
    )
    to_stop_id = dy.String(
        nullable=True, description="Stop or station where it ends; of linked trips null: any."
    )
    from_route_id = dy.String(nullable=True, description="Route one comes by; null: any.")
    to_route_id = dy.String(nullable=True, description="Route one goes on by; null: any.")
    from_trip_id = dy.String(nullable=True, description="Trip one comes by; null: any.")
    to_trip_id = dy.String(nullable=True, description="Trip one goes on by; null: any.")
    transfer_type = dy.Int32(
        min=0,
        max=5,
        description="0 recommended, 1 timed: the vehicle waits, 2 takes min_transfer_time, "
        "3 not possible, 4 riders may stay seated, 5 they may not.",
    )
    min_transfer_time = dy.Int32(
        nullable=True, min=0, metadata=_SECONDS, description="Time that a change takes."
    )

    @dy.rule()
    def ends_named(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """It names both stops, or both trips where it links two trips of one vehicle."""
        stops = pl.col("from_stop_id").is_not_null() & pl.col("to_stop_id").is_not_null()
        trips = pl.col("from_trip_id").is_not_null() & pl.col("to_trip_id").is_not_null()
        return pl.when(LINKED).then(trips).otherwise(stops)


class Pathways(Versioned):
    """One row per way between two locations of a station."""

    pathway_id = dy.String(primary_key=True, description="Pathway, unique in its feed.")
    from_stop_id = dy.String(description="Platform, entrance, node or boarding area it begins at.")
    to_stop_id = dy.String(description="Platform, entrance, node or boarding area it ends at.")
    pathway_mode = dy.Int32(
        min=1,
        max=7,
        description="1 walkway, 2 stairs, 3 moving walkway, 4 escalator, 5 elevator, 6 fare gate, "
        "7 exit gate.",
    )
    is_bidirectional = dy.Int32(min=0, max=1, description="1 can be used both ways, 0 one way.")
    length = dy.Float64(nullable=True, min=0, metadata={"unit": "m"}, description="Its length.")
    traversal_time = dy.Int32(
        nullable=True, min=1, metadata=_SECONDS, description="Time that it takes on average."
    )


def stage_transfers(feed: Validation, source: SourceVersion) -> Staged:
    """Transfers between known stops, routes and trips; a blank transfer_type is 0."""
    return staged(
        Transfers,
        feed.files.get("transfers"),
        source,
        transfer_number=pl.col(ROW),
        transfer_type=pl.col("transfer_type").fill_null(0),
    )


def stage_pathways(feed: Validation, source: SourceVersion) -> Staged:
    """Pathways between known locations."""
    return staged(Pathways, feed.files.get("pathways"), source)
