"""Which stops are one place."""

from __future__ import annotations

import polars as pl

from pipelines.marts.reach.stop_places import place_numbers

METRE = 1 / 111_195  # degrees of latitude


def numbers(*stops: tuple[float, str | None]) -> list[int]:
    """Places of stops on one meridian: metres north, and station."""
    frame = pl.DataFrame(
        {
            "source_id": ["feed"] * len(stops),
            "version_id": ["v1"] * len(stops),
            "latitude": [43.24 + north_m * METRE for north_m, _ in stops],
            "longitude": [76.9] * len(stops),
            "parent_station": [station for _, station in stops],
        },
        schema_overrides={"parent_station": pl.String},
    )
    return place_numbers(frame).to_list()


def test_stops_within_50_m_are_one_place() -> None:
    assert numbers((0, None), (49.9, None), (100.1, None)) == [0, 0, 1]


def test_stops_between_make_one_place_of_a_row() -> None:
    assert numbers((0, None), (90, None), (45, None)) == [0, 0, 0]


def test_platforms_of_one_station_are_one_place_however_far() -> None:
    assert numbers((0, "S"), (400, None), (900, "S"), (930, None)) == [0, 1, 0, 0]
    assert numbers((0, None), (400, "S"), (700, "T"), (900, "S"), (999, "T")) == [0, 1, 2, 1, 2]


def test_no_stops_no_places() -> None:
    assert numbers() == []
