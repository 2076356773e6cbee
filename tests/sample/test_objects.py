"""What upstream offers: names, etags, and bytes that depend on nothing but seed, name and date."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from datetime import date, timedelta

import pytest

from pipelines.sample import DEFAULT_SEED, PRODUCTS, list_objects, make_object, seeds
from pipelines.sample.counts import _day_noise
from pipelines.sample.trucks import journeys, passings_entered

pytestmark = pytest.mark.slow

NIGHT = date(2026, 11, 20)
NEXT_NIGHT = NIGHT + timedelta(days=1)
SAMPLES = [
    ("metro_gtfs", "metro_gtfs.zip"),
    ("fleet", "fleet_register.csv"),
    ("count_stations", "count_stations.csv"),
    ("counts", "counts_2024-02.parquet"),
    ("counts", "counts_2026-11-03.parquet"),
    ("passages", "passages_2026-11-19.parquet"),
    ("toll_transactions", "toll_transactions_2026-11-01.parquet"),
    ("read_audits", "read_audits.csv"),
    ("districts", "districts.geojson"),
    ("population", "population_500m.csv"),
    ("opportunities", "opportunities.csv"),
    ("rail_gtfs", "rail_gtfs.zip"),
]


def digests(order: list[tuple[str, str]], night: date = NIGHT) -> dict[str, str]:
    return {
        name: hashlib.sha256(make_object(product, name, night)).hexdigest()
        for product, name in order
    }


@pytest.fixture(scope="module")
def first_digests() -> dict[str, str]:
    return digests(SAMPLES)


def test_same_bytes_in_another_order(first_digests: dict[str, str]) -> None:
    for kept in (_day_noise, journeys, passings_entered):
        kept.cache_clear()
    make_object("passages", "passages_2026-11-13.parquet", NIGHT)
    assert digests(SAMPLES[::-1]) == first_digests


def test_same_bytes_in_another_process_with_one_thread(first_digests: dict[str, str]) -> None:
    code = (
        "import hashlib, datetime\n"
        "from pipelines.sample import make_object\n"
        f"night = datetime.date({NIGHT.year}, {NIGHT.month}, {NIGHT.day})\n"
        f"for product, name in {SAMPLES!r}:\n"
        "    print(name, hashlib.sha256(make_object(product, name, night)).hexdigest())\n"
    )
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "TZ": "America/New_York"}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert dict(line.split() for line in printed.splitlines()) == first_digests


def test_bus_feed_is_the_same_twice_within_a_month(bus_zip: bytes) -> None:
    again = make_object("bus_gtfs", "bus_gtfs.zip", NIGHT.replace(day=3))
    assert hashlib.sha256(again).digest() == hashlib.sha256(bus_zip).digest()


def test_another_seed_gives_other_bytes_and_etags() -> None:
    for product, name in (SAMPLES[1], SAMPLES[4], SAMPLES[6], SAMPLES[9]):
        assert make_object(product, name, NIGHT, seed=7) != make_object(product, name, NIGHT)
        assert {o.etag for o in list_objects(product, NIGHT, seed=7)}.isdisjoint(
            o.etag for o in list_objects(product, NIGHT)
        )


@pytest.mark.parametrize("product", PRODUCTS)
def test_listing_is_cheap_and_names_are_unique(product: str) -> None:
    list_objects(product, NIGHT)  # first call loads the product's module
    began = time.perf_counter()
    objects = list_objects(product, NIGHT)
    assert time.perf_counter() - began < 0.05
    assert len({entry.name for entry in objects}) == len(objects) > 0
    assert len({entry.etag for entry in objects}) == len(objects)


def test_files_offered() -> None:
    counts = [entry.name for entry in list_objects("counts", NIGHT)]
    assert counts[0] == "counts_2022-01.parquet"
    assert counts[57:59] == ["counts_2026-10.parquet", "counts_2026-11-01.parquet"]
    assert counts[-1] == "counts_2026-11-20.parquet"
    assert len(counts) == 58 + 20
    passages = [entry.name for entry in list_objects("passages", NIGHT)]
    assert len(passages) == 40
    assert passages[0] == "passages_2025-10-14.parquet"
    assert passages[11:13] == ["passages_2026-09-08.parquet", "passages_2026-10-24.parquet"]
    tolls = [entry.name for entry in list_objects("toll_transactions", NIGHT)]
    assert tolls == [f"toll_transactions_{name.removeprefix('passages_')}" for name in passages]


def etags(product: str, night: date) -> dict[str, str]:
    return {entry.name: entry.etag for entry in list_objects(product, night)}


def test_etags_stay_from_night_to_night() -> None:
    for product in PRODUCTS:
        tonight, tomorrow = etags(product, NIGHT), etags(product, NEXT_NIGHT)
        shared = tonight.keys() & tomorrow.keys()
        if product == "read_audits":  # its days move on
            assert tonight != tomorrow
        else:
            assert shared
            assert all(tonight[name] == tomorrow[name] for name in shared)


def test_an_archived_month_is_the_same_bytes_on_later_nights(
    first_digests: dict[str, str],
) -> None:
    name = "counts_2024-02.parquet"
    assert digests([("counts", name)], date(2027, 2, 1))[name] == first_digests[name]
    assert etags("counts", date(2027, 2, 1))[name] == etags("counts", NIGHT)[name]


def test_a_feed_changes_with_the_month() -> None:
    later = date(2026, 12, 1)
    for product in ("metro_gtfs", "bus_gtfs"):
        assert etags(product, NIGHT) == etags(product, date(2026, 11, 1))
        assert etags(product, NIGHT) != etags(product, later)
    assert make_object("metro_gtfs", "metro_gtfs.zip", NIGHT) != make_object(
        "metro_gtfs", "metro_gtfs.zip", later
    )


def test_etag_follows_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    before = etags("fleet", NIGHT)
    monkeypatch.setattr(seeds, "source_digest", lambda: "changed")
    assert etags("fleet", NIGHT) != before


def test_unknown_product_and_name_say_so() -> None:
    with pytest.raises(ValueError, match="no product 'trams'; it has metro_gtfs"):
        list_objects("trams", NIGHT)
    with pytest.raises(ValueError, match=r"no file 'counts_2019-01\.parquet' on 2026-11-20"):
        make_object("counts", "counts_2019-01.parquet", NIGHT, DEFAULT_SEED)
