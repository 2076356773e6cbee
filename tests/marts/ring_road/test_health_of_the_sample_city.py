"""The sample city's stations, with noise and gaps as real ones have: who is told, and who isn't."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from pipelines.city_file import load_city
from pipelines.marts.matched_trips import MatchedTrips
from pipelines.marts.sensor_health import compute_sensor_health
from pipelines.night import SourceVersion
from pipelines.sample import DEFAULT_SEED
from pipelines.sample.counts import STUCK_STATION, counts_parquet
from pipelines.sample.days import days_between
from pipelines.sample.stations import STATIONS, make_count_stations
from pipelines.settings import ROOT
from pipelines.sources.traffic.parse import parse_count_stations, parse_traffic_counts
from pipelines.staging.count_station_days import stage_count_station_days
from pipelines.staging.passages import PassageDays
from pipelines.staging.traffic import stage_count_stations
from tests.toy_feeds import night_of

pytestmark = pytest.mark.slow

NIGHT = date(2025, 9, 20)
SINCE = date(2025, 3, 20)
COUNT, CLOCK = pl.col("vehicle_count"), pl.col("mean_clock_hour")


def counts(first: date, last: date) -> pl.DataFrame:
    source = SourceVersion("counts", "v1", "counts.parquet", "parquet", time_zone="Asia/Almaty")
    payload = counts_parquet(days_between(first, last), DEFAULT_SEED)
    staged = stage_count_station_days(parse_traffic_counts(payload, source), source)
    assert staged.quarantine.is_empty()
    return staged.rows


@pytest.fixture(scope="module")
def summer() -> pl.DataFrame:
    return counts(SINCE, NIGHT)


def findings(days: pl.DataFrame, night: date) -> tuple[dict[str, str], dict[str, float]]:
    """Findings by station that has any, and all weights."""
    source = SourceVersion("stations", "s1", "stations.csv", "csv")
    stations: Any = stage_count_stations(
        parse_count_stations(make_count_stations(), source), source
    ).rows
    known: Any = days
    found = compute_sensor_health(
        night_of(night.isoformat()),
        count_stations=stations,
        count_station_days=known,
        passage_days=PassageDays.create_empty(),
        matched_trips=MatchedTrips.create_empty(),
        events=load_city(ROOT / "cities" / "almaty.toml").dated_events,
    )
    told = dict(found.select("station_id", "findings").drop_nulls().iter_rows())
    return told, dict(found.select("station_id", "health_weight").iter_rows())


def test_the_stuck_station_is_told_and_no_other(summer: pl.DataFrame) -> None:
    told, weights = findings(summer, NIGHT)
    assert told == {STUCK_STATION: "stuck on 4 days, last on 2025-09-13"}
    assert len(weights) == len(STATIONS)
    assert min(weights.values()) > 0.6


def test_what_the_ring_road_did_takes_no_weight() -> None:
    told, weights = findings(counts(date(2023, 2, 1), date(2023, 7, 31)), date(2023, 7, 31))
    assert "screen-05" in told
    assert all(text.endswith("at an event") for text in told.values())
    assert min(weights.values()) > 0.6


def test_each_thing_that_is_wrong_is_told_of_its_station_alone(summer: pl.DataFrame) -> None:
    name, day = pl.col("station_id"), pl.col("service_date")
    late, lower = day.ge(date(2025, 7, 1)), day.ge(date(2025, 6, 10))
    renamed = (name == "control-05") & day.ge(date(2025, 9, 2))
    copied = summer.filter(name == "control-06").with_columns(station_id=pl.lit("control-07"))
    broken = pl.concat([summer.filter(name != "control-07"), copied]).with_columns(
        station_id=pl.when(renamed).then(pl.lit("new-05")).otherwise(name),
        mean_clock_hour=pl.when((name == "control-03") & late).then(CLOCK + 1).otherwise(CLOCK),
        vehicle_count=pl.when((name == "screen-02") & lower)
        .then((COUNT * 0.8).cast(pl.Int64))
        .otherwise(COUNT),
    )
    silent = broken.filter((name != "cordon-2") | day.lt(date(2025, 8, 10)))
    told, weights = findings(silent, NIGHT)
    assert told.pop("control-03") in {f"clock +{h} h against other stations" for h in (0.9, 1.0)}
    assert told.pop("cordon-2") == "silent since 2025-08-10"
    assert told.pop("screen-02").startswith("level -20% against other stations since 2025-06-")
    assert told.pop("control-06").startswith("same daily counts as control-07 on")
    assert told.pop("control-07").startswith("same daily counts as control-06 on")
    assert "began at the level of control-05" in told.pop("new-05")
    assert "fell silent when new-05 began at its level: renamed?" in told.pop("control-05")
    assert list(told) == [STUCK_STATION]
    without_weight = {station_id for station_id, weight in weights.items() if weight == 0}
    assert without_weight == {
        *("control-03", "cordon-2", "screen-02", "control-06", "control-07", "new-05"),
    }
