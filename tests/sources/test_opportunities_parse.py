"""Opportunities as columns of a grid, as rows of their own, and as lists of places."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.opportunities.parse import parse_opportunities
from pipelines.staging.opportunities import stage_opportunities
from pipelines.staging.sift import Staged

SHOWN = ("place_id", "opportunity_type", "latitude", "longitude", "opportunity_count")
GRID = "id,lat,lon,population,jobs,schools\nc1,43.2,76.9,100,250.5,2\nc2,43.3,76.9,80,,0\n"
NAMES = {"id": "place_id", "lat": "latitude", "lon": "longitude"}


def staged(
    payload: bytes | str, file_format: str = "csv", source_id: str = "grid", **columns: str
) -> Staged:
    source = SourceVersion(source_id, "v1", f"grid.{file_format}", file_format, columns=columns)
    content = payload.encode() if isinstance(payload, str) else payload
    return stage_opportunities(parse_opportunities(content, source), source)


def test_columns_that_the_city_file_names_are_types() -> None:
    result = staged(GRID, **NAMES, jobs="jobs", schools="schools")
    assert result.rows.select(SHOWN).rows() == [
        ("c1", "jobs", 43.2, 76.9, 250.5),
        ("c1", "schools", 43.2, 76.9, 2),
        ("c2", "schools", 43.3, 76.9, 0),  # how many jobs there are is not told
    ]
    assert result.refused == 0


def test_parquet_keeps_numbers() -> None:
    rows = pl.DataFrame({"latitude": [43.2], "longitude": [76.9], "Jobs": [3], "Beds": [0.1]})
    file = io.BytesIO()
    rows.write_parquet(file)
    result = staged(file.getvalue(), "parquet", Jobs="jobs", Beds="hospital_beds")
    told = result.rows.select("opportunity_type", "opportunity_count").rows()
    assert told == [("hospital_beds", 0.1), ("jobs", 3.0)]


@pytest.mark.slow
def test_rows_may_tell_type_and_count() -> None:
    text = (
        "latitude,longitude,what,n\n43.2,76.9,clinics,2\n43.2,76.9,schools,1\n43.2,76.9,clinics,\n"
    )
    result = staged(text, what="opportunity_type", n="opportunity_count")
    assert result.rows.select(SHOWN).rows() == [
        ("1", "clinics", 43.2, 76.9, 2),
        ("2", "schools", 43.2, 76.9, 1),
    ]
    assert result.quarantine.get_column("rule").to_list() == ["opportunity_count|nullability"]


def test_a_list_of_places_is_one_each_of_what_the_source_is_named_for() -> None:
    features = [
        {"type": "Feature", "properties": {"name": name}, "geometry": geometry}
        for name, geometry in (
            ("No. 1", {"type": "Point", "coordinates": [76.9, 43.2]}),
            (
                "No. 2",
                {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]},
            ),
        )
    ]
    payload = json.dumps({"type": "FeatureCollection", "features": features})
    result = staged(payload, "geojson", source_id="schools", name="place_id")
    assert result.rows.select(SHOWN).rows() == [
        ("No. 1", "schools", 43.2, 76.9, 1),
        ("No. 2", "schools", 1, 1, 1),
    ]


def test_people_are_refused() -> None:
    result = staged(GRID, **NAMES, population="people", schools="schools")
    assert set(result.rows.get_column("opportunity_type")) == {"schools"}
    assert set(result.quarantine.get_column("rule")) == {"no_people"}


def test_what_lacks_a_place_or_tells_types_twice_is_refused() -> None:
    with pytest.raises(SourceError, match="lacks the column 'latitude'"):
        staged(GRID, lon="longitude", jobs="jobs")
    twice = "latitude,longitude,opportunity_type,jobs\n43.2,76.9,schools,3\n"
    with pytest.raises(SourceError, match=r"column for each type of opportunity \(jobs\)"):
        staged(twice, jobs="jobs")
    with pytest.raises(SourceError, match="no readable GeoJSON"):
        staged("latitude", "geojson")
    with pytest.raises(SourceError, match="format 'pbf', which is no table"):
        staged(GRID, "pbf")


def test_the_grid_of_porto_alegre(shared_data: Path) -> None:
    payload = (shared_data / "access/r5r_poa/poa_hexgrid.csv").read_bytes()
    types = {"jobs": "jobs", "schools": "schools", "healthcare": "clinics"}
    result = staged(payload, **NAMES, **types)
    assert result.rows.height == 3 * 1_227 - 2 * 5  # five cells tell no jobs and no clinics
    assert result.refused == 0
    totals = result.rows.group_by("opportunity_type").agg(pl.col("opportunity_count").sum())
    grid = pl.read_csv(io.BytesIO(payload))
    assert dict(totals.iter_rows()) == {ours: grid[theirs].sum() for theirs, ours in types.items()}
