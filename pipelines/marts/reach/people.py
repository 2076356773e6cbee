"""The people of a city and of its districts: which cells count for which, and how they sum.

A resident lives at the centroid of a population cell, and in the district that holds the centroid;
those outside all districts count for the city alone.

Sums of the middle estimates (P50) are `_count`, those of the cells' P10 and P90 `_low` and `_high`:
bounds *under full correlation* (all cells low, or all high, at once), no quantiles of the sum.

Where a district's official total is exact, its cells are also *rescaled* to it, each by the same
factor, so that shares within the district stay. Elsewhere (a total that is unknown or a lower
bound, cells outside all districts) the grid stands as it is: the city's rescaled people are those
of its exact districts and of the grid for the rest.

People are rounded to 0.1; a share is made of the rounded numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import dataframely as dy
import numpy as np
import polars as pl

from pipelines.contracts.figure import Figure, one_of
from pipelines.marts.reach.catchment import Floats, district_of
from pipelines.night import Night
from pipelines.staging.districts import Districts
from pipelines.staging.population import PopulationCells

PEOPLE_DECIMALS = 1
SHARE_DECIMALS = 6
EXACT = "exact"

PEOPLE = {"unit": "people"}
MIDDLE = "population_p50"
ESTIMATES = {"count": MIDDLE, "low": "population_p10", "high": "population_p90"}
RESCALED = "population_rescaled"
NO_GRID = "no population grid"
NO_BOUNDS = "no low and high estimates in the population grid"
NOBODY = "no residents in the population grid"


class Scoped(Figure):
    """Columns that say what a row is about: the city, or one of its districts."""

    scope_type = one_of("city", "district", primary_key=True, description="What the row is about.")
    scope_id = dy.String(primary_key=True, description="City or district by its id.")
    scope_name = dy.String(description="Name of the city or district.")


@dataclass(frozen=True)
class Scope:
    """The city or a district, with its official population where authorities publish one."""

    scope_type: str
    scope_id: str
    scope_name: str
    official_population: int | None
    population_precision: str | None
    has_rescaled: bool  # the district's total is exact; of the city: some district's is

    def own(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows (with a column `district_id`) that lie in it."""
        if self.scope_type == "city":
            return rows
        return rows.filter(pl.col("district_id") == self.scope_id)


def located(rows: pl.DataFrame, districts: dy.DataFrame[Districts]) -> pl.DataFrame:
    """Places (latitude, longitude) with the `district_id` that holds each; null outside of all.

    On a shared border that is the district whose id sorts first.
    """
    ordered = districts.sort("district_id", "source_id")
    found = district_of(places(rows), ordered.get_column("geometry").to_list())
    names = dict(enumerate(ordered.get_column("district_id")))
    district = pl.Series(found).replace_strict(names, default=None, return_dtype=pl.String)
    return rows.with_columns(district_id=district)


def residents(
    population_cells: dy.DataFrame[PopulationCells], districts: dy.DataFrame[Districts]
) -> pl.DataFrame:
    """Cells in order of their key, with `district_id` and `population_rescaled`."""
    cells = located(population_cells.sort("source_id", "version_id", "cell_id"), districts)
    factors = _factors(cells, districts)
    factor = pl.col("district_id").replace_strict(factors, default=1.0, return_dtype=pl.Float64)
    return cells.with_columns((pl.col(MIDDLE) * factor).alias(RESCALED))


def scopes(night: Night, districts: dy.DataFrame[Districts], cells: pl.DataFrame) -> list[Scope]:
    """The city, then its districts in order of their ids; `cells` are those of `residents`."""
    ordered = districts.sort("district_id", "source_id")
    exact = _factors(cells, districts)
    officials = ordered.get_column("official_population")
    is_known = ordered.height > 0 and not officials.null_count()
    precisions = set(ordered.get_column("population_precision"))
    precision = next((word for word in ("lower_bound", None, EXACT) if word in precisions), None)
    city = Scope(
        "city",
        night.city_id,
        night.city_name,
        int(officials.sum()) if is_known else None,
        precision if is_known else None,
        bool(exact),
    )
    columns = ("district_id", "district_name", "official_population", "population_precision")
    named = ordered.select(columns).iter_rows()
    return [
        city,
        *(
            Scope("district", district_id, name, official, word, district_id in exact)
            for district_id, name, official, word in named
        ),
    ]


def places(rows: pl.DataFrame) -> Floats:
    """Latitude and longitude in degrees, a row each."""
    return rows.select("latitude", "longitude").to_numpy().astype(np.float64)


def total(cells: pl.DataFrame, column: str) -> float:
    """People of some cells by one estimate; in any order of cells the same, for fsum is exact."""
    return round(math.fsum(cells.get_column(column)), PEOPLE_DECIMALS)


def share(part: float | None, whole: float | None) -> float | None:
    """A part over its whole; null where either is, or the whole is nobody."""
    return round(part / whole, SHARE_DECIMALS) if whole and part is not None else None


def grid_reasons(cells: pl.DataFrame) -> dict[str, str]:
    """What the grid lacks: all of it (`grid`), or its low and high estimates (`bounds`)."""
    if cells.is_empty():
        return {"grid": NO_GRID}
    if any(cells.get_column(ESTIMATES[bound]).null_count() for bound in ("low", "high")):
        return {"bounds": NO_BOUNDS}
    return {}


def counted(cells: pl.DataFrame, lacking: Sequence[str], prefix: str) -> dict[str, float | None]:
    """`<prefix>_count`, `_low` and `_high` of some cells; null where the grid lacks them."""
    people: dict[str, float | None] = {}
    for estimate, column in ESTIMATES.items():
        is_known = "grid" not in lacking and (estimate == "count" or "bounds" not in lacking)
        people[f"{prefix}_{estimate}"] = total(cells, column) if is_known else None
    return people


def _factors(cells: pl.DataFrame, districts: dy.DataFrame[Districts]) -> dict[str, float]:
    """Official total over the grid's, by district, where the total is exact and anybody lives."""
    exact = districts.filter(
        pl.col("population_precision") == EXACT, pl.col("official_population").is_not_null()
    )
    factors: dict[str, float] = {}
    for name, official in exact.select("district_id", "official_population").iter_rows():
        in_grid = math.fsum(cells.filter(pl.col("district_id") == name).get_column(MIDDLE))
        if in_grid:
            factors[name] = official / in_grid
    return factors
