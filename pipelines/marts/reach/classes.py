"""Residents by the class of their cell, for a city and its districts: what two figures share."""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import stamp
from pipelines.marts.reach.people import (
    NOBODY,
    PEOPLE,
    RESCALED,
    Scope,
    Scoped,
    counted,
    grid_reasons,
    scopes,
    share,
    total,
)
from pipelines.night import Night
from pipelines.staging.districts import Districts

NO_WALKS = "no walks"


class ResidentsByClass(Scoped):
    """One row per service date, scope and class."""

    residents_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents of the class, middle estimate.",
    )
    residents_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P10 (bound under full correlation).",
    )
    residents_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P90 (bound under full correlation).",
    )
    residents_share = dy.Float64(
        nullable=True, min=0, max=1, description="Residents of the class / of the scope."
    )
    residents_rescaled_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents of the class with exact district totals met, elsewhere as in the "
        "grid; null for a district without an exact total.",
    )

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """A share is there, or the reason why it is not."""
        return pl.col("residents_share").is_not_null() | pl.col("reason").is_not_null()


def residents_by_class(
    night: Night,
    cells: pl.DataFrame,
    districts: dy.DataFrame[Districts],
    *,
    column: str,
    classes: Sequence[str],
    no_class: str,
) -> pl.DataFrame:
    """A row per scope and class, every class in each; `cells` are rows of `marts.cell_access`.

    Values are null, and `reason` says why, where the cells have no class: by that part of their
    own reason that begins with `no_class`.
    """
    reasons = grid_reasons(cells)
    if cells.height and cells.get_column(column).null_count() == cells.height:
        parts = cells.get_column("reason")[0].split("; ")
        reasons["class"] = "; ".join(part for part in parts if part.startswith(no_class))
    rows = [
        {
            "scope_type": scope.scope_type,
            "scope_id": scope.scope_id,
            "scope_name": scope.scope_name,
            column: word,
            **_people(scope, own, own.filter(pl.col(column) == word), reasons),
        }
        for scope in scopes(night, districts, cells)
        for own in [scope.own(cells)]
        for word in classes
    ]
    counts = {name: kind.dtype for name, kind in ResidentsByClass.columns().items()}
    schema = {name: counts.get(name, pl.String()) for name in rows[0]}
    method = cells.get_column("method")[0] if cells.height else NO_WALKS
    made = pl.DataFrame(rows, schema=schema).sort("scope_type", "scope_id", maintain_order=True)
    return stamp(made, night, method=method)


def _people(
    scope: Scope, cells: pl.DataFrame, of_class: pl.DataFrame, reasons: dict[str, str]
) -> dict[str, float | str | None]:
    """Residents of one class in a scope, their share, and what is null and why."""
    is_known = not {"grid", "class"} & reasons.keys()
    lacking = [*reasons] if is_known else ["grid"]
    everybody = total(cells, "population_p50")
    people = counted(of_class, lacking, "residents")
    nobody = [NOBODY] if is_known and not everybody else []
    has_rescaled = is_known and scope.has_rescaled
    return {
        **people,
        "residents_share": share(people["residents_count"], everybody),
        "residents_rescaled_count": total(of_class, RESCALED) if has_rescaled else None,
        "reason": "; ".join([*reasons.values(), *nobody]) or None,
    }
