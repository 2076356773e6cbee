"""PTAL: residents by the band of TfL's index of access to public transport.

The index belongs to a cell of the grid (`marts.cell_access`) and is defined in
`pipelines.marts.reach.access_index`; it is that of 08:15 to 09:15 on the service date, whatever day
it is. Without a departure in that hour there is no band, and `reason` says so.

Left out: official totals, which `marts.metro_reach` has.
"""

from __future__ import annotations

import dataframely as dy

from pipelines.contracts.figure import one_of
from pipelines.marts.cell_access import NO_INDEX, CellAccess
from pipelines.marts.reach.access_index import BANDS
from pipelines.marts.reach.classes import ResidentsByClass, residents_by_class
from pipelines.night import Night
from pipelines.staging.districts import Districts


class Ptal(ResidentsByClass):
    """One row per service date, scope (the city or a district) and PTAL band."""

    ptal_band = one_of(
        *BANDS, primary_key=True, description="Band of the index: 0 is no access, 6b the best."
    )


def compute_ptal(
    night: Night, *, cell_access: dy.DataFrame[CellAccess], districts: dy.DataFrame[Districts]
) -> dy.DataFrame[Ptal]:
    """Residents by band, every band in each scope, in the order of scopes and bands."""
    rows = residents_by_class(
        night, cell_access, districts, column="ptal_band", classes=BANDS, no_class=NO_INDEX
    )
    return Ptal.validate(rows.select(Ptal.column_names()))
