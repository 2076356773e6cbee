"""How often the 95 % interval of the diversion share holds the sample city's true share.

Each seed is another city of the same truth: other trucks, visits, readers' misses and audits. The
whole way is gone, from files to the figure.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.marts.ring_road_diversion import compute_ring_road_diversion
from pipelines.marts.toll_audits import TollAudits
from pipelines.night import SourceVersion
from pipelines.sample import make_object
from pipelines.sample.truth import TRUTH
from pipelines.sources.traffic.parse import parse_count_stations
from pipelines.sources.traffic.passages import parse_passages, parse_read_audits
from pipelines.staging.passages import ReadAudits, stage_passages, stage_read_audits
from pipelines.staging.traffic import CountStations, stage_count_stations
from tests.marts.toy_passages import ALMATY, a_night, matched, the_days

pytestmark = pytest.mark.slow

LAST = date(2026, 11, 12)
STEPS = {
    "count_stations": (parse_count_stations, stage_count_stations),
    "passages": (parse_passages, stage_passages),
    "read_audits": (parse_read_audits, stage_read_audits),
}


def staged(product: str, name: str, seed: int) -> pl.DataFrame:
    parse, stage = STEPS[product]
    source = SourceVersion(product, name, name, name.rpartition(".")[2], time_zone=ALMATY)
    return stage(parse(make_object(product, name, LAST, seed), source), source).rows


def share_of(seed: int, day_count: int) -> tuple[float, float, float]:
    """The share of heavy vehicles in the month, and its bounds."""
    days = [LAST - timedelta(days=back) for back in range(day_count)]
    passages = pl.concat(staged("passages", f"passages_{day}.parquet", seed) for day in days)
    stations = staged("count_stations", "count_stations.csv", seed)
    rows = compute_ring_road_diversion(
        a_night(LAST),
        matched_trips=matched(passages, stations),
        passage_days=the_days(passages),
        count_stations=CountStations.validate(stations),
        read_audits=ReadAudits.validate(staged("read_audits", "read_audits.csv", seed)),
        toll_audits=TollAudits.create_empty(),
        forgotten_days=(),
    )
    row = rows.filter(month_date=LAST.replace(day=1), vehicle_class="heavy").row(0, named=True)
    return row["diversion_share"], row["diversion_share_low"], row["diversion_share_high"]


def test_in_five_seeds_the_interval_holds_the_true_share() -> None:
    truth = TRUTH.diversion_share(LAST)
    found = [share_of(seed, 8) for seed in range(1000, 1005)]
    assert sum(low <= truth <= high for _, low, high in found) >= 4
    assert all(abs(share - truth) < 0.015 for share, _, _ in found)
    assert all(high - low < 0.03 for _, low, high in found)  # narrow enough to say something


@pytest.mark.exhaustive
def test_in_two_hundred_seeds_the_interval_holds_the_true_share() -> None:
    truth = TRUTH.diversion_share(LAST)
    found = [share_of(seed, 10) for seed in range(200)]
    assert 181 <= sum(low <= truth <= high for _, low, high in found) <= 197
    assert abs(sum(share for share, _, _ in found) / 200 - truth) < 0.002
