"""Toll audits: how many of the vehicles that paid at a gantry its reader read.

A toll reads vehicles independently of the gantry's camera, so its transactions are a second
reading of the ring's vehicles, as audits at the roadside are (`ring_road.second_readings`). Counted
day by day, like `marts.matched_trips`, so that the counts outlive the transactions. Heavy vehicles
alone: the rates are used for all classes, and are theirs.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.marts.ring_road.second_readings import second_readings
from pipelines.night import Night
from pipelines.staging.passages import Passages, TollTransactions


class TollAudits(dy.Schema):
    """One row per local day, station and hour with transactions of known plates."""

    service_date = dy.Date(primary_key=True, description="Local day of the transactions.")
    station_id = dy.String(primary_key=True, description="Gantry.")
    audit_date = dy.Date(description="The same day, as read audits name it.")
    hour_of_day = dy.Int32(
        primary_key=True, min=0, max=23, metadata={"unit": "h"}, description="Local hour."
    )
    vehicles_seen_count = dy.Int32(
        min=1, metadata={"unit": "vehicles"}, description="Transactions of known plates."
    )
    plates_read_count = dy.Int32(
        min=0, metadata={"unit": "vehicles"}, description="Those of them that the reader read."
    )

    @dy.rule()
    def read_not_above_seen(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The reader reads none that did not pay."""
        return pl.col("plates_read_count") <= pl.col("vehicles_seen_count")


def compute_toll_audits(
    night: Night,
    *,
    toll_transactions: dy.DataFrame[TollTransactions],
    passages: dy.DataFrame[Passages],
) -> dy.DataFrame[TollAudits]:
    """Counts of one local day, `night.service_date`; the inputs are of the days beside it too."""
    audits = second_readings(
        pl.DataFrame(toll_transactions), pl.DataFrame(passages), night.time_zone
    ).filter(pl.col("audit_date") == night.service_date)
    return TollAudits.validate(
        audits.with_columns(service_date="audit_date").select(TollAudits.column_names())
    )
