"""Toy passages readable by eye: cordon stations west and east (65 km apart) and north, and the
ring's gantries g1 and g2; readings, trips, audits, and their counts by day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dataframely as dy
import polars as pl

from pipelines.marts.matched_trips import MatchedTrips, compute_matched_trips
from pipelines.night import Night, Window
from pipelines.staging.passages import PassageDays, Passages, ReadAudits
from pipelines.staging.traffic import CountStations

Reading = tuple[str, str, datetime, str | None]  # plate, station, moment, direction

ALMATY = "Asia/Almaty"
NOVEMBER = date(2026, 11, 1)
DAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 3, tzinfo=UTC)  # 08:00 in Almaty
STATIONS = {
    "west": ("cordon", 43.30, 76.50),
    "east": ("cordon", 43.30, 77.30),
    "north": ("cordon", 43.60, 76.90),
    "g1": ("ring", 43.40, 76.80),
    "g2": ("ring", 43.40, 77.00),
    "avenue": ("screenline", 43.30, 76.90),
}
PERFECT = {name: (1000, 1000) for name, (role, _, _) in STATIONS.items() if role != "screenline"}


def a_night(service_date: date = DAY) -> Night:
    window = Window(7 * 3600, 9 * 3600)
    return Night("toy", "Toy", service_date, "weekday", ALMATY, window, "measured")


def typed(schema: type[dy.Schema], rows: Iterable[dict[str, object]]) -> pl.DataFrame:
    types = {name: column.dtype for name, column in schema.columns().items()}
    versioned = ({"source_id": "toy", "version_id": "v1", **row} for row in rows)
    return pl.DataFrame(list(versioned), schema=types)


def the_stations(names: Iterable[str] = STATIONS) -> pl.DataFrame:
    return typed(
        CountStations,
        (
            dict(zip(("role", "latitude", "longitude"), STATIONS[name], strict=True))
            | {"station_id": name}
            for name in names
        ),
    )


def _local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(ALMATY))


def _month(moment: datetime) -> date:
    return _local(moment).date().replace(day=1)


def hashed(plate: str, day: date) -> str:
    """A plate as it is known in the month of a day."""
    return f"{day:%Y-%m} {plate}".rjust(16, "0")


def the_passages(readings: Sequence[Reading], vehicle_class: str = "heavy") -> pl.DataFrame:
    return typed(
        Passages,
        (
            {
                "passage_number": number,
                "station_id": station,
                "passed_at": moment,
                "direction": direction,
                "vehicle_class": vehicle_class,
                "plate_hash": hashed(plate, _month(moment)),
                "overlap_hash": hashed(plate, _month(moment) - timedelta(days=1))
                if _local(moment).day == 1
                else None,
            }
            for number, (plate, station, moment, direction) in enumerate(readings, start=1)
        ),
    )


def the_audits(rates: dict[str, tuple[int, int]]) -> pl.DataFrame:
    return typed(
        ReadAudits,
        (
            {
                "station_id": name,
                "audit_date": DAY,
                "hour_of_day": 12,
                "vehicles_seen_count": seen,
                "plates_read_count": read,
            }
            for name, (seen, read) in rates.items()
        ),
    )


def a_trip(
    plate: object,
    *,
    ends: tuple[str, str] = ("west", "east"),
    start: datetime = MORNING,
    minutes: float = 60,
    ring: Sequence[str] = (),
) -> list[Reading]:
    """In at one end, past gantries evenly in between, out at the other."""
    step = minutes / (len(ring) + 1)
    gantries = [
        (str(plate), name, start + timedelta(minutes=step * place), "in")
        for place, name in enumerate(ring, start=1)
    ]
    end = start + timedelta(minutes=minutes)
    return [(str(plate), ends[0], start, "in"), *gantries, (str(plate), ends[1], end, "out")]


def some_trips(
    ring_count: int, city_count: int, prefix: str = "p", **kinds: object
) -> list[Reading]:
    """As many trips past g1, and through the city."""
    readings: list[Reading] = []
    for number in range(ring_count + city_count):
        ring = ("g1",) if number < ring_count else ()
        readings += a_trip(f"{prefix}{number}", ring=ring, **kinds)  # type: ignore[arg-type]  # keywords of a_trip
    return readings


def the_days(passages: pl.DataFrame) -> dy.DataFrame[PassageDays]:
    """Days with passages, as staging counts them."""
    at = pl.col("passed_at")
    days = passages.group_by(
        "source_id",
        "version_id",
        "station_id",
        "vehicle_class",
        passed_date=at.dt.convert_time_zone(ALMATY).dt.date(),
    ).agg(
        reading_count=pl.len().cast(pl.Int64),
        unread_count=pl.col("plate_hash").null_count().cast(pl.Int64),
        undirected_count=pl.col("direction").null_count().cast(pl.Int64),
        first_passed_at=at.min(),
        last_passed_at=at.max(),
    )
    return PassageDays.validate(days.select(PassageDays.column_names()))


def matched(
    passages: pl.DataFrame, stations: pl.DataFrame | None = None
) -> dy.DataFrame[MatchedTrips]:
    """Counts of all local days, each made from it and the days beside it."""
    listed = CountStations.validate(the_stations() if stations is None else stations)
    dated = passages.with_columns(day=pl.col("passed_at").dt.convert_time_zone(ALMATY).dt.date())
    made = [MatchedTrips.create_empty()]
    for day in dated.get_column("day").unique().sort():
        near = dated.filter((pl.col("day") - day).dt.total_days().abs() <= 1).drop("day")
        night = replace(a_night(), service_date=day)
        made.append(
            compute_matched_trips(night, count_stations=listed, passages=Passages.validate(near))
        )
    return MatchedTrips.validate(pl.concat(made))
