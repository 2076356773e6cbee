"""Trip statistics of a city of Tampa's size: gtfs-kit against ours, text columns in, figures out.

Both begin with the feed in memory and end with one row per trip, equal in every column. Ours begins
with nothing but text (times, sequence and distances are parsed within the measure); gtfs-kit begins
with what its reader gives, numbers parsed and times as text. The SQL line is the same figures asked
of DuckDB (but for the loop flag): what the engine choice is worth; it is ours, not a peer, and not
in the ratio.

The feed is Tampa's (435,507 stop times) where ../shared/data has it, else one made up of that size.
Run: make bench NAME=trip_stats
"""

from __future__ import annotations

import io
import random
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import gtfs_kit
import polars as pl

from benchmarks.oracle import differences, under_our_names
from pipelines.marts.trip_stats import feed_trip_stats
from pipelines.night import SourceVersion
from pipelines.sources.gtfs.parse import parse_gtfs
from pipelines.staging.gtfs import (
    stage_feed_versions,
    stage_routes,
    stage_shapes,
    stage_stops,
    stage_trips,
)
from pipelines.staging.gtfs.seconds import seconds_of_day

TAMPA = Path(__file__).resolve().parents[2] / "shared" / "data" / "gtfs" / "transitland_hart.zip"
REPEATS, PEER_REPEATS = 21, 3
# Sizes of Tampa's feed.
STOPS, ROUTES, TRIPS, CALLS_PER_TRIP = 2_349, 45, 14_718, 30
SEED = 20_180_301

SQL = """
with calls as (
    select trip_id, stop_id, stop_sequence::int as sequence,
           shape_dist_traveled::double as traveled,
           split_part(departure_time, ':', 1)::int * 3600
             + split_part(departure_time, ':', 2)::int * 60
             + split_part(departure_time, ':', 3)::int as departure_seconds
    from stop_times
), journeys as (
    select trip_id, count(*) as stop_count,
           arg_min(departure_seconds, sequence) as start_seconds,
           arg_max(departure_seconds, sequence) as end_seconds,
           arg_min(stop_id, sequence) as start_stop_id,
           arg_max(stop_id, sequence) as end_stop_id,
           max(traveled) as distance_km,
           list(stop_id order by sequence) as pattern
    from calls group by trip_id
), patterns as (
    select trips.route_id, trips.direction_id, pattern,
           count(*) as trip_count, min(trip_id) as first_trip_id
    from journeys join trips using (trip_id)
    group by trips.route_id, trips.direction_id, pattern
), named as (
    select route_id, direction_id, pattern,
           row_number() over (
               partition by route_id, direction_id order by trip_count desc, first_trip_id
           ) as rank
    from patterns
)
select trip_id, trips.route_id, route_short_name, route_type, trips.direction_id, shape_id,
       block_id, service_id, stop_count, start_seconds, end_seconds, start_stop_id, end_stop_id,
       end_seconds - start_seconds as duration_seconds, distance_km,
       distance_km / nullif(end_seconds - start_seconds, 0) * 3600 as speed_kmh,
       coalesce(trips.direction_id, 0) || '-' || rank as stop_pattern_name
from journeys
join trips using (trip_id)
join routes using (route_id)
join named on named.route_id = trips.route_id
          and named.direction_id is not distinct from trips.direction_id
          and named.pattern = journeys.pattern
order by trip_id
"""

Result = TypeVar("Result")


def main() -> int:
    """Print a line per contender and the ratio; 1 where the figures differ."""
    payload = TAMPA.read_bytes() if TAMPA.exists() else made_up_feed()
    print("feed:", TAMPA.name if TAMPA.exists() else f"made up, seed {SEED}")
    source = SourceVersion("bench", "bench", "feed.zip", "zip")
    feed = parse_gtfs(payload, source)
    text = pl.concat(part.judged.text for part in feed.parts())
    unit = stage_feed_versions(feed, source).rows.get_column("distance_unit").item()
    small = {
        "trips": stage_trips(feed, source).rows,
        "routes": stage_routes(feed, source).rows,
        "stops": stage_stops(feed, source).rows,
        "shapes": stage_shapes(feed, source).rows,
    }

    def ours() -> pl.DataFrame:
        calls = text.select(
            "trip_id",
            "stop_id",
            pl.col("stop_sequence").cast(pl.Int32),
            pl.col("shape_dist_traveled").cast(pl.Float64),
            departure_seconds=seconds_of_day("departure_time"),
        )
        return feed_trip_stats(**small, stop_times=calls, distance_unit=unit)

    def sql() -> pl.DataFrame:
        with duckdb.connect() as connection:
            for name, table in {**small, "stop_times": text}.items():
                connection.register(name, table)
            return connection.sql(SQL).pl()

    feed = _gtfs_kit_feed(payload)
    own, own_seconds = _median("qala (Polars)", ours, REPEATS)
    by_sql, _ = _median("qala's figures in SQL (DuckDB)", sql, REPEATS)
    peer, peer_seconds = _median("gtfs-kit", feed.compute_trip_stats, PEER_REPEATS)
    wrong = differences(own, under_our_names(peer, feed.dist_units), "trip_id")
    wrong_sql = differences(own, by_sql, "trip_id") if unit == "km" else {}
    print(f"{text.height:,} stop times, {own.height:,} trips; columns that differ:", end=" ")
    print({"gtfs-kit": wrong, "SQL": wrong_sql} if wrong or wrong_sql else "none")
    print(f"ratio: {peer_seconds / own_seconds:.1f}")
    return 1 if wrong or wrong_sql else 0


def _median(name: str, run: Callable[[], Result], repeats: int) -> tuple[Result, float]:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(f"{name:32s} {median:9.4f} s  (median of {repeats}, least {min(seconds):.4f} s)")
    return result, median


def _gtfs_kit_feed(payload: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feed.zip"
        path.write_bytes(payload)
        return gtfs_kit.read_feed(path)


def made_up_feed(trips: int = TRIPS) -> bytes:
    """A feed of Tampa's size, or with fewer trips: random routes, trips all day on one date."""
    rng = random.Random(SEED)
    stops = pl.DataFrame(
        {
            "stop_id": [str(number) for number in range(STOPS)],
            "stop_lat": [f"{rng.uniform(27.8, 28.1):.6f}" for _ in range(STOPS)],
            "stop_lon": [f"{rng.uniform(-82.6, -82.3):.6f}" for _ in range(STOPS)],
        }
    )
    lines = [rng.sample(range(STOPS), CALLS_PER_TRIP) for _ in range(ROUTES * 2)]
    journeys, calls = [], []
    for number in range(trips):
        line = number % len(lines)
        route, direction = divmod(line, 2)
        journeys.append((str(route), "daily", str(number), str(direction)))
        skipped = number % 3 == 0
        start = rng.randrange(5 * 3600, 22 * 3600)
        for place, stop in enumerate(lines[line][skipped:]):
            seconds = start + 90 * place
            clock = f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
            calls.append((str(number), clock, clock, str(stop), str(place), f"{place * 0.41:.4f}"))
    tables = {
        "agency": pl.DataFrame(
            {"agency_id": ["a"], "agency_name": ["A"], "agency_timezone": ["America/New_York"]}
        ),
        "stops": stops,
        "routes": pl.DataFrame(
            {
                "route_id": [str(route) for route in range(ROUTES)],
                "route_short_name": [str(route) for route in range(ROUTES)],
                "route_type": ["3"] * ROUTES,
            }
        ),
        "trips": pl.DataFrame(
            journeys, schema=["route_id", "service_id", "trip_id", "direction_id"], orient="row"
        ),
        "stop_times": pl.DataFrame(
            calls,
            schema=[
                "trip_id",
                "arrival_time",
                "departure_time",
                "stop_id",
                "stop_sequence",
                "shape_dist_traveled",
            ],
            orient="row",
        ),
        "calendar_dates": pl.DataFrame(
            {"service_id": ["daily"], "date": ["20180301"], "exception_type": ["1"]}
        ),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in tables.items():
            archive.writestr(f"{name}.txt", table.write_csv())
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
