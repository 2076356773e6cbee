"""Fleet reconciliation: what was published about the fleet against what the register says.

Each number of each published statement, with the register's number of the same day and scope, as
known on the night. Counts are equal when they are equal, shares when they differ by at most
SHARE_TOLERANCE (half a percent: shares are published rounded). Verdict, first that applies:

- *not comparable*: the register does not reach back to the day, or can't tell the scope;
- *equal*: in the scope that was published; where it wasn't told, in one of those it may mean, which
  is named;
- *another scope*: the register has this number in another scope, which is named: the difference is
  one of scope;
- *not explained*: in no scope does the register have it. Somebody should ask.

A statement stands as it was published. Nothing is told of the time between two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.vehicle_history import VehicleHistory, fleet_on, seen_from
from pipelines.night import Night
from pipelines.staging.fleet_snapshots import (
    PUBLISHED_SERVICE_SCOPES,
    PUBLISHED_STATUS_SCOPES,
    FleetSnapshots,
)

# Indicator -> column of the statement, and the fuels that it counts (none: all).
FUELS = ("cng", "diesel", "electric", "trolleybus")
CLEAN_FUELS = ("cng", "lpg", "electric", "trolleybus", "hydrogen")
FLEET, CLEAN_SHARE = "fleet", "clean share"
INDICATORS = (FLEET, *FUELS, CLEAN_SHARE)
VERDICTS = ("equal", "another scope", "not explained", "not comparable")
SHARE_TOLERANCE = 0.005
SHARE_DECIMALS = 9

Scope = tuple[str, str]  # status, service
SCOPES: tuple[Scope, ...] = tuple(
    (status, service) for status in PUBLISHED_STATUS_SCOPES for service in PUBLISHED_SERVICE_SCOPES
)


class FleetReconciliation(Figure):
    """One row per service date, published statement and number in it."""

    snapshot_id = dy.String(primary_key=True, description="Short name of the statement.")
    indicator = one_of(
        *INDICATORS, primary_key=True, description="Vehicles in all or of a fuel, or clean share."
    )
    as_of_date = dy.Date(description="Day that the statement is about; of a month its last day.")
    scope_text = dy.String(description="What it covers, as published.")
    published_value = dy.Float64(min=0, description="Vehicles, or the share, as published.")
    register_value = dy.Float64(
        nullable=True, min=0, description="The same in the register, in that scope."
    )
    difference = dy.Float64(nullable=True, description="register_value - published_value.")
    verdict = one_of(*VERDICTS, description="Whether and how the two agree; see the method.")
    register_scope = dy.String(
        nullable=True, description="Scope in which the register has the published number."
    )
    source_address = dy.String(description="Where it was published.")

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The register's value is null exactly where a reason says why."""
        return pl.col("register_value").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def agreement_names_its_scope(cls) -> pl.Expr:  # noqa: N805  # as above
        """Where the register has the number, its scope is named."""
        agrees = pl.col("verdict").is_in(("equal", "another scope"))
        return agrees == pl.col("register_scope").is_not_null()


def compute_fleet_reconciliation(
    night: Night,
    *,
    vehicle_history: dy.DataFrame[VehicleHistory],
    fleet_snapshots: dy.DataFrame[FleetSnapshots],
) -> dy.DataFrame[FleetReconciliation]:
    """Every published number up to the night, sorted by key."""
    told = fleet_snapshots.filter(pl.col("as_of_date") <= night.service_date)
    once = told.sort("source_id", "version_id", "snapshot_id").unique(
        "snapshot_id", keep="first", maintain_order=True
    )
    since = seen_from(vehicle_history)
    rows = [
        row
        for snapshot in once.iter_rows(named=True)
        for row in _reconciled(snapshot, vehicle_history, since)
    ]
    schema = {name: column.dtype for name, column in FleetReconciliation.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name not in _STAMPED}
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method="register history")
    return FleetReconciliation.validate(
        stamped.select(schema.keys()).sort(FleetReconciliation.primary_key())
    )


_STAMPED = ("service_date", "day_type", "departure_window", "method", "mark")


def _reconciled(
    snapshot: dict[str, Any], history: pl.DataFrame, since: date | None
) -> Iterator[dict[str, object]]:
    """A row for each number of a statement."""
    day = snapshot["as_of_date"]
    is_seen = since is not None and since <= day
    found = _by_scope(fleet_on(history, day)) if is_seen else {}
    meant = [scope for scope in SCOPES if _may_mean(snapshot, scope)]
    for indicator in INDICATORS:
        published = snapshot[_column(indicator)]
        if published is not None:
            yield {
                **{name: snapshot[name] for name in _FROM_SNAPSHOT},
                "indicator": indicator,
                "published_value": float(published),
                **_verdict(indicator, float(published), found, meant, is_seen=is_seen),
            }


_FROM_SNAPSHOT = ("snapshot_id", "as_of_date", "scope_text", "source_address")


def _column(indicator: str) -> str:
    named = {FLEET: "vehicle_count", CLEAN_SHARE: "clean_share"}
    return named.get(indicator, f"{indicator}_count")


def _may_mean(snapshot: dict[str, Any], scope: Scope) -> bool:
    return all(
        told in (None, part)
        for told, part in zip(
            (snapshot["status_scope"], snapshot["service_scope"]), scope, strict=True
        )
    )


def _by_scope(fleet: pl.DataFrame) -> dict[Scope, dict[str, float]]:
    """The register's numbers in every scope that it can tell and that has vehicles."""
    can_tell_status = fleet.get_column("status").is_not_null().any()
    is_in_service = pl.col("status").fill_null("in_service") == "in_service"
    found: dict[Scope, dict[str, float]] = {}
    for status, service in SCOPES:
        if status == "in service" and not can_tell_status:
            continue
        rows = fleet.filter(is_in_service) if status == "in service" else fleet
        if service != PUBLISHED_SERVICE_SCOPES[0]:
            rows = rows.filter(pl.col("service_scope") == service)
        if rows.height:
            found[status, service] = _numbers(rows)
    return found


def _numbers(rows: pl.DataFrame) -> dict[str, float]:
    fuel = rows.get_column("fuel_type")
    counts = {name: float((fuel == name).sum()) for name in FUELS}
    clean = float(fuel.is_in(CLEAN_FUELS).sum()) / rows.height
    return {FLEET: float(rows.height), **counts, CLEAN_SHARE: round(clean, SHARE_DECIMALS)}


def _verdict(
    indicator: str,
    published: float,
    found: dict[Scope, dict[str, float]],
    meant: list[Scope],
    *,
    is_seen: bool,
) -> dict[str, object]:
    told = [scope for scope in meant if scope in found]
    if not told:
        reason = (
            "the register has no vehicle in this scope on this day, or can't tell it"
            if is_seen
            else "the register does not reach back to this day"
        )
        return {"verdict": "not comparable", "reason": reason}
    tolerance = SHARE_TOLERANCE if indicator == CLEAN_SHARE else 0.0

    def agrees(scope: Scope) -> bool:
        return abs(found[scope][indicator] - published) <= tolerance

    same = next((scope for scope in told if agrees(scope)), None)
    other = next((scope for scope in found if scope not in told and agrees(scope)), None)
    value = found[same or told[0]][indicator]
    named = same or other
    verdict = "equal" if same else "another scope" if other else "not explained"
    return {
        "register_value": value,
        "difference": round(value - published, SHARE_DECIMALS),
        "verdict": verdict,
        "register_scope": ", ".join(named) if named else None,
    }
