"""Reach: residents within a distance of a stop that is served on the service date.

    reach_share = residents_within_count / residents_count

after UN SDG indicator 11.2.1 (metadata of 2021: share of population with convenient access), with
distance in a straight line instead of along streets, so it is an upper bound of the indicator.
A resident lives at the centroid of a population cell, and in the district that holds the centroid;
those outside all districts count for the city alone. A stop counts wherever it lies, so a district
is also reached by its neighbours' stops.

`_count` sums the middle estimates (P50), `_low` and `_high` the P10 and the P90 of the cells. These
are bounds *under full correlation* (all cells low, or all high, at once), no quantiles of the sum.
People are rounded to 0.1; a share is made of the rounded numbers.

Left out: rescaling to official totals, which stand beside the grid's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import dataframely as dy
import numpy as np
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.reach.catchment import Floats, district_of, nearest_stop_m
from pipelines.marts.reach.service import Mode, Timetable, served_stops
from pipelines.night import Night
from pipelines.staging.districts import PRECISIONS, Districts
from pipelines.staging.population import PopulationCells

METHOD = "straight line"
PEOPLE_DECIMALS = 1
SHARE_DECIMALS = 6

_PEOPLE = {"unit": "people"}
_ESTIMATES = {"count": "population_p50", "low": "population_p10", "high": "population_p90"}


class Reach(Figure):
    """One row per service date and scope: the city, or one of its districts."""

    scope_type = one_of("city", "district", primary_key=True, description="What the row is about.")
    scope_id = dy.String(primary_key=True, description="City or district by its id.")
    scope_name = dy.String(description="Name of the city or district.")
    distance_m = dy.Int32(
        min_exclusive=0, metadata={"unit": "m"}, description="Farthest distance to a served stop."
    )
    served_stop_count = dy.Int64(
        nullable=True,
        min=0,
        description="Stops in the scope that the mode serves on the date; null without a feed.",
    )
    residents_count = dy.Float64(
        nullable=True, min=0, metadata=_PEOPLE, description="Residents, middle estimate."
    )
    residents_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
        description="Residents if all cells had their P10 (bound under full correlation).",
    )
    residents_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
        description="Residents if all cells had their P90 (bound under full correlation).",
    )
    residents_within_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
        description="Residents within the distance of a served stop, middle estimate.",
    )
    residents_within_low = dy.Float64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
        description="The same if all cells had their P10 (bound under full correlation).",
    )
    residents_within_high = dy.Float64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
        description="The same if all cells had their P90 (bound under full correlation).",
    )
    reach_share = dy.Float64(
        nullable=True, min=0, max=1, description="Residents within the distance / residents."
    )
    official_population = dy.Int64(
        nullable=True,
        min=0,
        metadata=_PEOPLE,
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
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """A share is there, or the reason why it is not."""
        return pl.col("reach_share").is_not_null() | pl.col("reason").is_not_null()


@dataclass(frozen=True)
class _Scope:
    """One row to be: who it is about, and which cells and served stops are its own."""

    scope_type: str
    scope_id: str
    scope_name: str
    official_population: int | None
    population_precision: str | None
    cells: pl.DataFrame
    stops: pl.DataFrame


def compute_reach(
    night: Night,
    mode: Mode,
    timetable: Timetable,
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
) -> pl.DataFrame:
    """Rows of `Reach` for the city and its districts, in key order.

    Without population, service or a feed the values are null and `reason` says so; without
    districts there is the city's row alone. ContractError where a served stop has no place.
    """
    stops = served_stops(timetable, mode, night.service_date)
    nearest_m = nearest_stop_m(_places(population_cells), _places(stops))
    cells = population_cells.with_columns(is_within=pl.Series(nearest_m <= mode.distance_m))
    reasons = _reasons(night, mode, timetable, cells, is_served=stops.height > 0)
    rows = [
        {
            "scope_type": scope.scope_type,
            "scope_id": scope.scope_id,
            "scope_name": scope.scope_name,
            "distance_m": mode.distance_m,
            "served_stop_count": scope.stops.height if timetable.feeds else None,
            **_people(scope.cells, reasons),
            "official_population": scope.official_population,
            "population_precision": scope.population_precision,
        }
        for scope in _scopes(night, districts.sort("district_id", "source_id"), cells, stops)
    ]
    own = {name: column.dtype for name, column in Reach.columns().items() if name in rows[0]}
    reached = pl.DataFrame(rows, schema=own).sort("scope_type", "scope_id")
    return stamp(reached, night, method=METHOD)


def _scopes(
    night: Night, districts: pl.DataFrame, cells: pl.DataFrame, stops: pl.DataFrame
) -> list[_Scope]:
    """The city, and each district with the cells and stops that lie in it."""
    boundaries = districts.get_column("geometry").to_list()
    cells_at = pl.Series(district_of(_places(cells), boundaries))
    stops_at = pl.Series(district_of(_places(stops), boundaries))
    officials = districts.get_column("official_population")
    is_known = districts.height > 0 and not officials.null_count()
    precisions = set(districts.get_column("population_precision"))
    precision = next((word for word in ("lower_bound", None, "exact") if word in precisions), None)
    return [
        _Scope(
            "city",
            night.city_id,
            night.city_name,
            int(officials.sum()) if is_known else None,
            precision if is_known else None,
            cells,
            stops,
        ),
        *(
            _Scope(
                "district",
                district["district_id"],
                district["district_name"],
                district["official_population"],
                district["population_precision"],
                cells.filter(cells_at == position),
                stops.filter(stops_at == position),
            )
            for position, district in enumerate(districts.iter_rows(named=True))
        ),
    ]


def _reasons(
    night: Night, mode: Mode, timetable: Timetable, cells: pl.DataFrame, *, is_served: bool
) -> dict[str, str]:
    """Why values are null in every row, by what lacks: the grid, its bounds, the service."""
    reasons: dict[str, str] = {}
    if not timetable.feeds:
        reasons["service"] = "no GTFS feed"
    elif not is_served:
        feeds = ", ".join(f"'{feed}'" for feed in timetable.feeds)
        reasons["service"] = f"no {mode.name} trips on {night.service_date} in feeds {feeds}"
    if cells.is_empty():
        reasons["grid"] = "no population grid"
    elif any(cells.get_column(_ESTIMATES[bound]).null_count() for bound in ("low", "high")):
        reasons["bounds"] = "no low and high estimates in the population grid"
    return reasons


def _people(cells: pl.DataFrame, reasons: Mapping[str, str]) -> dict[str, float | str | None]:
    """Residents of a scope, those within the distance, their share, and what is null and why."""
    within = cells.filter("is_within")
    people: dict[str, float | None] = {}
    for estimate, column in _ESTIMATES.items():
        is_known = "grid" not in reasons and (estimate == "count" or "bounds" not in reasons)
        is_within_known = is_known and "service" not in reasons
        people[f"residents_{estimate}"] = _total(cells, column) if is_known else None
        people[f"residents_within_{estimate}"] = _total(within, column) if is_within_known else None
    residents, reached = people["residents_count"], people["residents_within_count"]
    share = (
        round(reached / residents, SHARE_DECIMALS) if residents and reached is not None else None
    )
    nobody = ["no residents in the population grid"] if residents == 0 else []
    reason = "; ".join([*reasons.values(), *nobody]) or None
    return {**people, "reach_share": share, "reason": reason}


def _total(cells: pl.DataFrame, column: str) -> float:
    # fsum is exact, so the order of the cells makes no difference.
    return round(math.fsum(cells.get_column(column)), PEOPLE_DECIMALS)


def _places(rows: pl.DataFrame) -> Floats:
    return rows.select("latitude", "longitude").to_numpy().astype(np.float64)
