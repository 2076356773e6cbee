"""Reach: residents within a walk of a stop that is served on the service date.

    reach_share = residents_within_count / residents_count

after UN SDG indicator 11.2.1 (metadata of 2021: share of population with convenient access). The
walk goes along streets, or where a city has no street network it is the straight line times a
detour factor; `method` says which. Where residents live, and what `_low`, `_high` and *rescaled*
mean, is said in `pipelines.marts.reach.people`. A stop counts wherever it lies, so a district is
also reached by its neighbours' stops.

*Step-free* reach has two bounds, both of middle estimates: the low one counts stops and trips that
the feed says are accessible, the high one all that it does not say are not.

Left out: how often a stop is served (see `marts.access_typology` and `marts.ptal`), and entrances:
a walk ends where the feed puts the stop.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of, stamp
from pipelines.marts.reach.linking import UNLINKED, linked_cells, linked_stops
from pipelines.marts.reach.people import (
    MIDDLE,
    NOBODY,
    PEOPLE,
    RESCALED,
    Scope,
    Scoped,
    counted,
    grid_reasons,
    located,
    places,
    residents,
    scopes,
    share,
    total,
)
from pipelines.marts.reach.service import Mode, Timetable
from pipelines.marts.reach.walking import Walkways
from pipelines.night import Night
from pipelines.staging.districts import PRECISIONS, Districts
from pipelines.staging.population import PopulationCells

WITHIN, STEP_FREE, PERHAPS_STEP_FREE = "is_within", "is_step_free", "is_perhaps_step_free"


class Reach(Scoped):
    """One row per service date and scope: the city, or one of its districts."""

    distance_m = dy.Int32(
        min_exclusive=0, metadata={"unit": "m"}, description="Longest walk to a served stop."
    )
    served_stop_count = dy.Int64(
        nullable=True,
        min=0,
        description="Stops in the scope that the mode serves on the date; null without a feed.",
    )
    unlinked_stop_count = dy.Int64(
        nullable=True,
        min=0,
        description="Of these, stops that no street passes though streets are known around: "
        "nobody counts as near them.",
    )
    residents_count = dy.Float64(
        nullable=True, min=0, metadata=PEOPLE, description="Residents, middle estimate."
    )
    residents_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents if all cells had their P10 (bound under full correlation).",
    )
    residents_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents if all cells had their P90 (bound under full correlation).",
    )
    residents_within_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents within the distance of a served stop, middle estimate.",
    )
    residents_within_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P10 (bound under full correlation).",
    )
    residents_within_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same if all cells had their P90 (bound under full correlation).",
    )
    reach_share = dy.Float64(
        nullable=True, min=0, max=1, description="Residents within the distance / residents."
    )
    residents_rescaled_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents with exact district totals met, elsewhere as in the grid; null for "
        "a district without an exact total.",
    )
    residents_within_rescaled_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Of these, residents within the distance of a served stop.",
    )
    reach_rescaled_share = dy.Float64(
        nullable=True, min=0, max=1, description="Both rescaled: within the distance / residents."
    )
    residents_step_free_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents within the distance of a stop known to be accessible, called at by "
        "a trip known to be; middle estimate.",
    )
    residents_step_free_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="The same for stops and trips not known to be inaccessible.",
    )
    step_free_low_share = dy.Float64(
        nullable=True, min=0, max=1, description="residents_step_free_low / residents_count."
    )
    step_free_high_share = dy.Float64(
        nullable=True, min=0, max=1, description="residents_step_free_high / residents_count."
    )
    residents_unlinked_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents whom no street links to any stop, counted as not within.",
    )
    official_population = dy.Int64(
        nullable=True,
        min=0,
        metadata=PEOPLE,
        description="Residents as authorities publish them, where known: for the city the sum of "
        "its districts, if each is known.",
    )
    population_precision = one_of(
        *PRECISIONS,
        nullable=True,
        description="Whether the official population is exact or a lower bound.",
    )

    @dy.rule()
    def within_at_most_all(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """No more residents within the distance than there are."""
        return pl.col("residents_within_count") <= pl.col("residents_count")

    @dy.rule()
    def bounds_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Low <= count <= high, for residents and for those within the distance."""
        return pl.all_horizontal(
            (pl.col(f"{name}_low") <= pl.col(f"{name}_count"))
            & (pl.col(f"{name}_count") <= pl.col(f"{name}_high"))
            for name in ("residents", "residents_within")
        )

    @dy.rule()
    def step_free_within_all(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """Surely step-free <= perhaps step-free <= within the distance."""
        low, high = pl.col("residents_step_free_low"), pl.col("residents_step_free_high")
        return (low <= high) & (high <= pl.col("residents_within_count"))

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """A share is there, or the reason why it is not."""
        return pl.col("reach_share").is_not_null() | pl.col("reason").is_not_null()


def compute_reach(
    night: Night,
    mode: Mode,
    timetable: Timetable,
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
    *,
    walkways: Walkways,
) -> pl.DataFrame:
    """Rows of `Reach` for the city and its districts, in key order.

    Without population, service or a feed the values are null and `reason` says so; without
    districts there is the city's row alone. ContractError where a served stop has no place, and
    where streets and places don't fit each other (`pipelines.marts.reach.linking`).
    """
    stops = located(linked_stops(timetable, mode, night.service_date, walkways), districts)
    cells = linked_cells(residents(population_cells, districts), walkways)
    cells = _within(cells, stops, walkways, mode.distance_m)
    reasons = grid_reasons(cells) | service_reasons(
        night, mode, timetable, is_served=stops.height > 0
    )
    rows = [
        {
            "scope_type": scope.scope_type,
            "scope_id": scope.scope_id,
            "scope_name": scope.scope_name,
            "distance_m": mode.distance_m,
            "served_stop_count": scope.own(stops).height if timetable.feeds else None,
            "unlinked_stop_count": (
                scope.own(stops).get_column(UNLINKED).sum() if timetable.feeds else None
            ),
            **_people(scope, scope.own(cells), reasons),
            "official_population": scope.official_population,
            "population_precision": scope.population_precision,
        }
        for scope in scopes(night, districts, cells)
    ]
    own = {name: column.dtype for name, column in Reach.columns().items() if name in rows[0]}
    reached = pl.DataFrame(rows, schema=own).sort("scope_type", "scope_id")
    return stamp(reached, night, method=walkways.method)


def service_reasons(
    night: Night, mode: Mode, timetable: Timetable, *, is_served: bool
) -> dict[str, str]:
    """Why nobody is within reach of the mode on the date, where it does not run."""
    if not timetable.feeds:
        return {"service": "no GTFS feed"}
    if not is_served:
        feeds = ", ".join(f"'{feed}'" for feed in timetable.feeds)
        return {"service": f"no {mode.name} trips on {night.service_date} in feeds {feeds}"}
    return {}


def _within(
    cells: pl.DataFrame, stops: pl.DataFrame, walkways: Walkways, distance_m: int
) -> pl.DataFrame:
    """Cells with whether a stop lies within the distance: any, one surely or perhaps step-free."""
    walks = walkways.walks(places(cells), places(stops), distance_m)
    ends = stops.select(STEP_FREE, PERHAPS_STEP_FREE)[walks.get_column("to_index")]
    starts = walks.get_column("from_index")
    reached = {
        WITHIN: starts,
        STEP_FREE: starts.filter(ends.get_column(STEP_FREE)),
        PERHAPS_STEP_FREE: starts.filter(ends.get_column(PERHAPS_STEP_FREE)),
    }
    number = pl.int_range(cells.height, dtype=pl.UInt32)
    return cells.with_columns(
        number.is_in(within.unique().implode()).alias(name) for name, within in reached.items()
    )


def _people(
    scope: Scope, cells: pl.DataFrame, reasons: Mapping[str, str]
) -> dict[str, float | str | None]:
    """Residents of a scope, those within the distance, shares, and what is null and why."""
    has_grid = "grid" not in reasons
    is_served = has_grid and "service" not in reasons
    within = cells.filter(WITHIN)
    lacking = [*reasons] if is_served else ["grid"]
    people = counted(cells, [*reasons], "residents") | counted(within, lacking, "residents_within")

    def estimate(rows: pl.DataFrame, *, is_known: bool, column: str = MIDDLE) -> float | None:
        return total(rows, column) if is_known else None

    known, rescaled = people["residents_count"], scope.has_rescaled
    people |= {
        "residents_rescaled_count": estimate(
            cells, is_known=has_grid and rescaled, column=RESCALED
        ),
        "residents_within_rescaled_count": estimate(
            within, is_known=is_served and rescaled, column=RESCALED
        ),
        "residents_step_free_low": estimate(cells.filter(STEP_FREE), is_known=is_served),
        "residents_step_free_high": estimate(cells.filter(PERHAPS_STEP_FREE), is_known=is_served),
        "residents_unlinked_count": estimate(cells.filter(UNLINKED), is_known=has_grid),
    }
    shares = {
        "reach_share": share(people["residents_within_count"], known),
        "reach_rescaled_share": share(
            people["residents_within_rescaled_count"], people["residents_rescaled_count"]
        ),
        "step_free_low_share": share(people["residents_step_free_low"], known),
        "step_free_high_share": share(people["residents_step_free_high"], known),
    }
    nobody = [NOBODY] if known == 0 else []
    return {**people, **shares, "reason": "; ".join([*reasons.values(), *nobody]) or None}
