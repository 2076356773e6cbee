"""Objects of the sample city, made once for all tests of the sample."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta

import polars as pl
import pytest

from pipelines.sample import list_objects, make_object
from pipelines.sample.days import SINGLE_ZONE_DATE

Feed = dict[str, pl.DataFrame]


@pytest.fixture(scope="session")
def service_date() -> date:
    return date(2026, 11, 20)


def only_object(product: str, day: date) -> bytes:
    (entry,) = list_objects(product, day)
    return make_object(product, entry.name, day)


def read_zip(content: bytes) -> Feed:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            name.removesuffix(".txt"): pl.read_csv(archive.read(name), infer_schema=False)
            for name in archive.namelist()
        }


@pytest.fixture(scope="session")
def metro_zip(service_date: date) -> bytes:
    return only_object("metro_gtfs", service_date)


@pytest.fixture(scope="session")
def bus_zip(service_date: date) -> bytes:
    return only_object("bus_gtfs", service_date)


@pytest.fixture(scope="session")
def metro(metro_zip: bytes) -> Feed:
    return read_zip(metro_zip)


@pytest.fixture(scope="session")
def bus(bus_zip: bytes) -> Feed:
    return read_zip(bus_zip)


@pytest.fixture(scope="session")
def register(service_date: date) -> pl.DataFrame:
    return pl.read_csv(only_object("fleet", service_date), try_parse_dates=True)


@pytest.fixture(scope="session")
def stations(service_date: date) -> pl.DataFrame:
    return pl.read_csv(only_object("count_stations", service_date), try_parse_dates=True)


@pytest.fixture(scope="session")
def cells(service_date: date) -> pl.DataFrame:
    return pl.read_csv(only_object("population", service_date))


def local_date(instant: pl.Expr) -> pl.Expr:
    """Local day of an instant: UTC+6 before 2024-03-01, UTC+5 from then on."""
    change = pl.lit(SINGLE_ZONE_DATE).cast(pl.Datetime("ms", "UTC")) - timedelta(hours=6)
    offset = pl.when(instant < change).then(timedelta(hours=6)).otherwise(timedelta(hours=5))
    return (instant + offset).dt.date()


@pytest.fixture(scope="session")
def counts(service_date: date) -> pl.DataFrame:
    """Station-hours of the months that published levels and the clock change fall in."""
    months = ("2023-05", "2023-06", "2023-07", "2024-02", "2024-12", "2025-09", "2025-12")
    tables = [
        pl.read_parquet(make_object("counts", f"counts_{month}.parquet", service_date))
        for month in months
    ]
    return pl.concat(tables).with_columns(local_date(pl.col("hour_at")).alias("count_date"))


@pytest.fixture(scope="session")
def passages(service_date: date) -> pl.DataFrame:
    """Five working days in a row and one of a year before."""
    days = ["2025-11-11", *(f"2026-11-{day:02d}" for day in range(9, 14))]
    tables = [
        pl.read_parquet(make_object("passages", f"passages_{day}.parquet", service_date))
        for day in days
    ]
    return pl.concat(tables).with_columns(local_date(pl.col("passed_at")).alias("passage_date"))


@pytest.fixture(scope="session")
def audits(service_date: date) -> pl.DataFrame:
    return pl.read_csv(only_object("read_audits", service_date), try_parse_dates=True)
