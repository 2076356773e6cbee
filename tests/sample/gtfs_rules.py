"""What holds of any feed: ids resolve, times increase, distances grow."""

from __future__ import annotations

from pathlib import Path

import gtfs_kit
import polars as pl


def seconds(column: str) -> pl.Expr:
    """Seconds of a `HH:MM:SS` column."""
    part = pl.col(column).str.split(":").list.eval(pl.element().cast(pl.Int64))
    return part.list.get(0) * 3600 + part.list.get(1) * 60 + part.list.get(2)


def assert_sound(feed: dict[str, pl.DataFrame]) -> None:
    """Raises AssertionError with the first rule that the feed breaks."""
    trips, times, shapes = feed["trips"], feed["stop_times"], feed["shapes"]
    for table, key in (("trips", "trip_id"), ("stops", "stop_id"), ("routes", "route_id")):
        assert feed[table][key].n_unique() == len(feed[table]), f"{table}: {key} repeats"
    services = set(feed["calendar"]["service_id"])
    assert set(trips["service_id"]) == services
    assert set(feed["calendar_dates"]["service_id"]) <= services
    assert set(trips["route_id"]) == set(feed["routes"]["route_id"])
    assert set(trips["shape_id"]) == set(shapes["shape_id"])
    assert set(times["trip_id"]) == set(trips["trip_id"])
    assert set(times["stop_id"]) == set(feed["stops"]["stop_id"])

    typed = times.select(
        "trip_id",
        pl.col("stop_sequence").cast(pl.Int64),
        pl.col("shape_dist_traveled").cast(pl.Float64).alias("metres"),
        seconds("arrival_time").alias("arrival_seconds"),
        seconds("departure_time").alias("departure_seconds"),
    )
    previous = {
        name: pl.col(name).shift(1).over("trip_id")
        for name in ("stop_sequence", "metres", "departure_seconds")
    }
    broken = typed.filter(
        (pl.col("departure_seconds") < pl.col("arrival_seconds"))
        | (pl.col("arrival_seconds") <= previous["departure_seconds"])
        | (pl.col("stop_sequence") <= previous["stop_sequence"])
        | (pl.col("metres") <= previous["metres"])
    )
    assert broken.is_empty(), broken.head(3)
    lengths = shapes.group_by("shape_id").agg(
        pl.col("shape_dist_traveled").cast(pl.Float64).max().alias("shape_m")
    )
    longest = (
        typed.group_by("trip_id")
        .agg(pl.col("metres").max())
        .join(trips.select("trip_id", "shape_id"), on="trip_id")
        .join(lengths, on="shape_id")
    )
    assert longest.filter(pl.col("metres") > pl.col("shape_m")).is_empty()


def read_by_gtfs_kit(content: bytes, folder: Path) -> gtfs_kit.Feed:
    """The feed as gtfs-kit reads it from a file."""
    path = folder / "feed.zip"
    path.write_bytes(content)
    return gtfs_kit.read_feed(path, dist_units="m")


def active_trips(feed: dict[str, pl.DataFrame], day: str, weekday: str) -> pl.DataFrame:
    """Trips of a day (YYYYMMDD) by the feed's calendar and its exceptions."""
    dated = feed["calendar_dates"].filter(pl.col("date") == day)
    regular = feed["calendar"].filter(
        (pl.col(weekday) == "1") & (pl.col("start_date") <= day) & (pl.col("end_date") >= day)
    )["service_id"]
    added = dated.filter(pl.col("exception_type") == "1")["service_id"]
    removed = dated.filter(pl.col("exception_type") == "2")["service_id"]
    active = (set(regular) | set(added)) - set(removed)
    return feed["trips"].filter(pl.col("service_id").is_in(sorted(active)))
