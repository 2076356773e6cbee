"""Reader faults: each is made in toy passages, and named in the figure's warning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest

from pipelines.marts.ring_road.read_rates import LOWEST_RATE
from pipelines.marts.ring_road.reader_faults import reader_faults
from pipelines.staging.traffic import CountStations
from tests.marts.toy_passages import (
    DAY,
    MORNING,
    NOVEMBER,
    Reading,
    a_trip,
    matched,
    the_days,
    the_passages,
    the_stations,
    typed,
)

CORDON = ("west", "east", "north", "south")
STATIONS = pl.concat(
    [
        the_stations(),
        typed(
            CountStations,
            [{"station_id": "south", "role": "cordon", "latitude": 43.0, "longitude": 76.9}],
        ),
    ]
)


def trips_between_all(days: int = 2) -> list[Reading]:
    """Thirteen trips a day in two hours between each two cordon stations, some past g1."""
    readings: list[Reading] = []
    for day in range(days):
        for entry in CORDON:
            for exit_ in CORDON:
                for n in range(13 if entry != exit_ else 0):
                    start = MORNING + timedelta(days=-day, minutes=7 * n)
                    ring = ("g1", "g2") if n % 2 else ()
                    plate = f"{day}{entry[0]}{exit_[0]}{n}"
                    readings += a_trip(
                        plate, ends=(entry, exit_), start=start, minutes=90 + n, ring=ring
                    )
    return readings


def warning(readings: list[Reading], rates: pl.DataFrame | None = None) -> str | None:
    passages = the_passages(readings)
    rows = reader_faults(matched(passages, STATIONS), the_days(passages), STATIONS, rates)
    return rows.item(0, "warning") if rows.height else None


def changed(station: str, change: Callable[[Reading], Reading]) -> list[Reading]:
    return [change(r) if r[1] == station else r for r in trips_between_all()]


def test_sound_readers_have_no_faults() -> None:
    assert warning(trips_between_all()) is None


def test_a_renamed_station_is_named_under_both_ids() -> None:
    readings = trips_between_all()
    renamed = [
        (plate, "g1-new" if station == "g1" and at > MORNING else station, at, way)
        for plate, station, at, way in readings
    ]
    told = warning(renamed) or ""
    assert "readings of g1-new, which no list knows" in told
    assert "g1 read nothing on 1 of 2 days" in told


def test_swapped_directions() -> None:
    other = {"in": "out", "out": "in"}
    told = warning(changed("west", lambda r: (r[0], r[1], r[2], other[r[3] or "in"])))
    assert told == "west seems to tell in and out the wrong way round"


@pytest.mark.parametrize(("minutes", "way"), [(60, "ahead"), (-60, "behind")])
def test_a_clock_an_hour_off(minutes: int, way: str) -> None:
    shift = timedelta(minutes=minutes)
    told = warning(changed("north", lambda r: (r[0], r[1], r[2] + shift, r[3])))
    assert told == f"clock of north seems about 60 minutes {way}"


def test_a_reader_that_hardly_reads() -> None:
    rates = pl.DataFrame(
        {
            "month_date": [NOVEMBER] * 2,
            "station_id": ["g1", "g2"],
            "read_rate": [LOWEST_RATE, 0.9],
        }
    )
    assert warning(trips_between_all(), rates) == "g1 reads at most 20% of plates"


def test_many_faults_are_counted() -> None:
    readings = trips_between_all()
    strange = [("x", f"unknown-{n}", MORNING, "in") for n in range(8)]
    told = warning([*readings, *strange]) or ""
    assert told.endswith("; and 3 more")
    assert DAY.month == NOVEMBER.month
