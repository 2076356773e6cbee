"""Access typology: residents by how often public transport leaves within a short walk.

The class belongs to a cell of the grid (`marts.cell_access`) and is defined in
`pipelines.marts.reach.access_class`, after DG REGIO. The definition is for a weekday: on Saturdays,
Sundays and holidays residents are null and `reason` says so.

Left out: official totals, which `marts.metro_reach` has.
"""

from __future__ import annotations

import dataframely as dy

from pipelines.contracts.figure import one_of
from pipelines.marts.cell_access import NO_CLASS, CellAccess
from pipelines.marts.reach.access_class import CLASSES
from pipelines.marts.reach.classes import ResidentsByClass, residents_by_class
from pipelines.night import Night
from pipelines.staging.districts import Districts


class AccessTypology(ResidentsByClass):
    """One row per service date, scope (the city or a district) and class of access."""

    access_class = one_of(
        *CLASSES, primary_key=True, description="Class by departures an hour within the walk."
    )


def compute_access_typology(
    night: Night, *, cell_access: dy.DataFrame[CellAccess], districts: dy.DataFrame[Districts]
) -> dy.DataFrame[AccessTypology]:
    """Residents by class, every class in each scope, in the order of scopes and classes."""
    rows = residents_by_class(
        night, cell_access, districts, column="access_class", classes=CLASSES, no_class=NO_CLASS
    )
    return AccessTypology.validate(rows.select(AccessTypology.column_names()))
