"""Diesel burn-down: the diesel vehicles of the fleet from month to month, and what moved them.

Counted at the end of each month and on the service date, from the history of the register as known
on the night, city and suburban together. The series begins where the register was first seen at
work: at the earliest day on which it lost, changed or first listed a vehicle, or was fetched. What
it says of days before is a count of survivors, and left out. Nothing is interpolated.

    diesel_count = diesel_count of the as-of date before + entered_count - left_count

A vehicle enters or leaves with its entry, its end, another fuel, and in the scope "in service" with
its way into and out of the reserve. One that comes and goes between two as-of dates isn't seen.

The rows are made by `sql/marts/diesel_burn_down.sql`.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of
from pipelines.marts.diesel_phase_out import STATUS_SCOPES

_VEHICLES = {"unit": "vehicles"}
_SHARE = {"unit": "share"}


class DieselBurnDown(Figure):
    """One row per service date, as-of date and status scope."""

    as_of_date = dy.Date(
        primary_key=True, description="Day that is counted: a month's last, or the service date."
    )
    status_scope = one_of(
        *STATUS_SCOPES,
        primary_key=True,
        description="Which vehicles count: those in service, or those in reserve as well.",
    )
    diesel_count = dy.Int64(
        nullable=True, min=0, metadata=_VEHICLES, description="Diesel vehicles on the as-of date."
    )
    fleet_count = dy.Int64(
        nullable=True, min=0, metadata=_VEHICLES, description="Vehicles of every fuel."
    )
    diesel_share = dy.Float64(
        nullable=True, min=0, max=1, metadata=_SHARE, description="diesel_count / fleet_count."
    )
    clean_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata=_SHARE,
        description="Share of fuels that are clean by Directive (EU) 2019/1161.",
    )
    zero_emission_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata=_SHARE,
        description="Share of electric vehicles, trolleybuses and those on hydrogen.",
    )
    entered_count = dy.Int64(
        nullable=True,
        min=0,
        metadata=_VEHICLES,
        description="Diesel vehicles that count now and didn't on the as-of date before.",
    )
    left_count = dy.Int64(
        nullable=True,
        min=0,
        metadata=_VEHICLES,
        description="Diesel vehicles that counted on the as-of date before and don't now.",
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A share is null exactly where a reason says why."""
        return pl.col("diesel_share").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def flows_add_up(cls) -> pl.Expr:  # noqa: N805  # as above
        """A count is the one before with what entered and without what left."""
        before = (
            pl.col("diesel_count")
            .shift(1)
            .over("service_date", "status_scope", order_by="as_of_date")
        )
        moved = pl.col("entered_count") - pl.col("left_count")
        return before + moved == pl.col("diesel_count")
