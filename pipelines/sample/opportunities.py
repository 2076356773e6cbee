"""Synthetic jobs, schools and clinics, on the cells of the synthetic population grid.

The rule, all of it ours: the city has a job for every `RESIDENTS_PER_JOB` residents, a school and a
clinic for every `RESIDENTS_PER_SCHOOL` and `RESIDENTS_PER_CLINIC`. Jobs are shared among cells in
proportion to residents, thinning out from the centre by `JOBS_SCALE_M`. Schools and clinics follow
the residents: counted along the cells from the south-west, row by row, one stands wherever that
many residents more are passed; from which resident the count begins is drawn from the seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.sample.facts import CITY_POPULATION
from pipelines.sample.places import apportion, make_population, to_plane
from pipelines.sample.seeds import generator

RESIDENTS_PER_JOB = 2.2
RESIDENTS_PER_SCHOOL = 8_000
RESIDENTS_PER_CLINIC = 20_000
JOBS_SCALE_M = 4_000.0


def make_opportunities(seed: int) -> bytes:
    """CSV of cells that have any: a row per cell, in order of place_id."""
    cells = pl.read_csv(make_population(seed))
    residents = cells.get_column("population_p50").to_numpy()
    east_m, north_m = to_plane(
        cells.get_column("latitude").to_numpy(), cells.get_column("longitude").to_numpy()
    )
    central = np.round(np.exp(-np.hypot(east_m, north_m) / JOBS_SCALE_M), 9)
    found = cells.select(
        pl.col("cell_id").alias("place_id"),
        "latitude",
        "longitude",
        jobs=pl.Series(apportion(residents * central, round(CITY_POPULATION / RESIDENTS_PER_JOB))),
        schools=pl.Series(_one_in(RESIDENTS_PER_SCHOOL, residents, seed, "schools")),
        clinics=pl.Series(_one_in(RESIDENTS_PER_CLINIC, residents, seed, "clinics")),
    )
    anything = pl.any_horizontal(pl.col("jobs", "schools", "clinics") > 0)
    return found.filter(anything).write_csv().encode()


def _one_in(
    each: int, residents: npt.NDArray[np.int64], seed: int, name: str
) -> npt.NDArray[np.int64]:
    """How often the count of residents passes a multiple of `each` in each cell."""
    first = int(generator(seed, "opportunities", name).integers(0, each))
    passed = (first + np.cumsum(residents)) // each
    return np.diff(passed, prepend=first // each)
