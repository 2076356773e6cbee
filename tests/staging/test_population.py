"""Population cells under contract: toy rows, and real grids without loss."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from pipelines.night import SourceVersion
from pipelines.sources.population.parse import parse_population
from pipelines.staging.population import stage_population_cells

QUANTILES = {
    "p10": "population_p10",
    "p50": "population_p50",
    "p90": "population_p90",
    "centroid_latitude": "latitude",
    "centroid_longitude": "longitude",
}
HEXAGONS = {"id": "cell_id", "lat": "latitude", "lon": "longitude"}


def a_grid(**columns: str) -> SourceVersion:
    return SourceVersion("grid", "v1", "grid.csv", "csv", columns=columns)


def test_each_broken_cell_is_refused_by_a_named_rule() -> None:
    cells = pl.DataFrame(
        {
            "cell_id": ["fine", "one", "crossed", "minus", "far", "nan", "none", "fine", "word"],
            "latitude": ["43.2", "43.2", "43.2", "43.2", "143.2", "43.2", "43.2", "43.2", "43.2"],
            "longitude": ["76.9"] * 9,
            "population_p10": ["1", None, "5", None, None, None, None, "1", None],
            "population_p50": ["2", "2", "2", "-2", "2", "NaN", None, "2", "many"],
            "population_p90": ["3", None, "6", None, None, None, None, "3", None],
        }
    )
    staged = stage_population_cells({"population_cells": cells}, a_grid())
    assert staged.rows.get_column("cell_id").to_list() == ["fine", "one"]
    assert staged.rows.get_column("population_p10").to_list() == [1.0, None]
    assert staged.quarantine.select("row_number", "rule").rows() == [
        (4, "estimates_in_order"),
        (5, "population_p50|min"),
        (6, "latitude|max"),
        (7, "population_p50|nan"),
        (8, "population_p50|nullability"),
        (9, "primary_key|repeated"),
        (10, "population_p50|unparsable"),
    ]


@pytest.mark.parametrize(
    ("file", "columns", "cells", "people"),
    [
        ("almaty/population/almaty_uncertainty_cells_500m.csv", QUANTILES, 3_078, 2_351_424),
        ("almaty/population/astana_uncertainty_cells_500m.csv", QUANTILES, 3_473, 1_649_242),
        ("almaty/population/shymkent_uncertainty_cells_500m.csv", QUANTILES, 4_939, 1_298_279),
        ("access/r5r_poa/poa_hexgrid.csv", HEXAGONS, 1_227, 812_935),
    ],
)
def test_real_grids_lose_nothing(
    shared_data: Path, file: str, columns: dict[str, str], cells: int, people: int
) -> None:
    source = a_grid(**columns)
    staged = stage_population_cells(
        parse_population((shared_data / file).read_bytes(), source), source
    )
    assert (staged.rows.height, staged.refused) == (cells, 0)
    total = math.fsum(staged.rows.get_column("population_p50"))
    assert total == pytest.approx(people, abs=0.5)
