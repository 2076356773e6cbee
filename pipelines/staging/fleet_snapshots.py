"""Published fleet snapshots: what was said about a city's fleet, when, and of which scope.

A statement is kept as it was published, contradictions included. A month alone stands for its last
day, which is flagged. Left out: what lies between two statements; nobody published it.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.fleet import SERVICE_SCOPES
from pipelines.staging.sift import Staged, sift

PUBLISHED_STATUS_SCOPES = ("in service", "with reserve")
PUBLISHED_SERVICE_SCOPES = ("city and suburban", *SERVICE_SCOPES)
_MONTH = r"^\d{4}-\d{2}$"
_VEHICLES = {"unit": "vehicles"}


def _count(of: str) -> dy.Int64:
    return dy.Int64(
        nullable=True, min=0, metadata=_VEHICLES, description=f"{of} as published; null: not told."
    )


class FleetSnapshots(Versioned):
    """One row per published statement about the fleet."""

    snapshot_id = dy.String(primary_key=True, description="Short name of the statement.")
    as_of_date = dy.Date(description="Day that it is about; of a month its last day.")
    is_month_only = dy.Bool(description="Whether only the month is known.")
    scope_text = dy.String(description="What it covers, as published.")
    status_scope = one_of(
        *PUBLISHED_STATUS_SCOPES,
        nullable=True,
        description="Whether the reserve is in it; null where it isn't told.",
    )
    service_scope = one_of(
        *PUBLISHED_SERVICE_SCOPES,
        nullable=True,
        description="Whose routes it covers; null where it isn't told.",
    )
    vehicle_count = _count("Vehicles")
    cng_count = _count("Gas vehicles")
    diesel_count = _count("Diesel vehicles")
    electric_count = _count("Electric vehicles")
    trolleybus_count = _count("Trolleybuses")
    clean_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        metadata={"unit": "share"},
        description="Share of clean vehicles as published; null: not told.",
    )
    source_address = dy.String(description="Where it was published.")
    note = dy.String(nullable=True, description="What else is to be known of it.")

    @dy.rule()
    def says_something(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A statement has a number."""
        numbers = ("vehicle_count", "cng_count", "diesel_count", "electric_count",
                   "trolleybus_count", "clean_share")  # fmt: skip
        return pl.any_horizontal(pl.col(name).is_not_null() for name in numbers)


def stage_fleet_snapshots(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Statements under contract."""
    snapshots = raw["fleet_snapshots"]
    text = pl.col("as_of").cast(pl.String)
    is_month = text.str.contains(_MONTH)
    month = pl.when(is_month).then(text + "-01").str.to_date("%Y-%m-%d", strict=False)
    day = pl.when(~is_month).then(text).str.to_date("%Y-%m-%d", strict=False)
    parsed = {"as_of_date": pl.coalesce(month.dt.month_end(), day), "is_month_only": is_month}
    return sift(FleetSnapshots, snapshots, source, parsed, read_from={"as_of_date": "as_of"})
