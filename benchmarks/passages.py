"""A month of passages, 30 million, from Parquet by day to counts of matched trips.

What a night does with passages, outside Airflow and the lake: each local day's file is read once
and kept while it and the days beside it are matched (`compute_matched_trips`). The files are made
up with a seed, on the sample city's stations: trips through the city and round it, visits of hours,
vehicles that arrive, leave, or stay on the ring; repeats, unread plates, trips over midnight and
over the change of the month's key.

Four measures: all days in one process of two threads, at most 60 s and 4 GiB; a third of the days
beside them, since time must grow with passages alone; the days shared by two processes of one
thread, whose counts must be the same; and one day beside the peers, which must count the same trips
between each pair of stations: DuckDB (repeats by a window, then a plain self-join of the readings
of each plate), and pandas (sorted and shifted).

Run: make bench NAME=passages
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.made_up_passages import SEED, TIME_ZONE, file_of, make_days

ROOT = Path(__file__).resolve().parents[1]
FIRST_DAY, DAYS, DAILY_READINGS = date(2026, 9, 16), 30, 1_002_000
MOST_SECONDS, MOST_GIB, MOST_STEEPER = 60.0, 4.0, 1.3
PEER_REPEATS = 3

SELF_JOIN = """
WITH placed AS (
    SELECT passages.*, role = 'cordon' AS is_cordon
    FROM passages JOIN stations USING (station_id)
    WHERE plate_hash IS NOT NULL
), marked AS (
    SELECT *, lag(station_id) OVER in_order = station_id
            AND passed_at - lag(passed_at) OVER in_order <= INTERVAL 300 SECOND AS is_repeat
    FROM placed
    WINDOW in_order AS (PARTITION BY plate_hash ORDER BY passed_at, station_id, direction)
), cordon AS (
    SELECT * FROM marked WHERE is_cordon AND is_repeat IS NOT true
), pairs AS (
    SELECT one.plate_hash, one.passed_at, one.station_id AS entry_station_id,
        min({
            'passed_at': other.passed_at,
            'station_id': other.station_id,
            'direction': other.direction
        }) AS nearest
    FROM cordon AS one
    JOIN cordon AS other
        ON one.plate_hash = other.plate_hash
        AND (one.passed_at, one.station_id) < (other.passed_at, other.station_id)
    WHERE one.direction = 'in'
    GROUP BY ALL
)
SELECT pairs.entry_station_id, limits.exit_station_id, count(*) AS trip_count
FROM pairs
JOIN limits ON limits.entry_station_id = pairs.entry_station_id
    AND limits.exit_station_id = pairs.nearest.station_id
WHERE pairs.nearest.direction = 'out'
    AND (epoch_ms(pairs.nearest.passed_at) - epoch_ms(pairs.passed_at)) // 1000 <= most_seconds
GROUP BY ALL
"""


def main() -> int:
    """Print the figures; 1 where a limit is passed or two counts differ."""
    with tempfile.TemporaryDirectory(prefix="qala-bench-") as name:
        folder = Path(name)
        # Made in a process of its own: who starts a process lends it its peak of memory.
        made = _run("make", folder, 0, DAYS)
        print(f"files: {made['rows']:,.0f} passages of {DAYS} days, seed {SEED}")
        whole = _run("match", folder, 0, DAYS)
        third = _run("match", folder, 0, DAYS // 3)
        steeper = _processor_seconds_each(whole) / _processor_seconds_each(third)
        for run in (third, whole):
            print(
                f"ours, {run['rows']:12,.0f} passages: {run['seconds']:6.2f} s "
                f"({run['processor_seconds']:.2f} s of processor time), peak {run['gib']:.2f} GiB, "
                f"{run['rows'] / run['seconds']:,.0f} passages a second"
            )
        print(f"processor time a passage, {DAYS} days over {DAYS // 3}: {steeper:.2f}")
        counts = pl.read_parquet(folder / f"counts_0_{DAYS}.parquet")
        shared, seconds = _shared(folder)
        same = shared.equals(counts)
        print(
            f"two processes of one thread: {seconds:.2f} s, "
            f"{'the same' if same else 'OTHER'} {counts.height:,} counts"
        )
        peers = _run("peers", folder, 0, 1)
    is_within = whole["seconds"] <= MOST_SECONDS and whole["gib"] <= MOST_GIB
    return 0 if is_within and steeper <= MOST_STEEPER and same and peers["same"] else 1


def _processor_seconds_each(run: dict[str, float]) -> float:
    return run["processor_seconds"] / run["rows"]


def _shared(folder: Path) -> tuple[pl.DataFrame, float]:
    """Counts of all days made by two processes, and the seconds of the one that took longer."""
    half = DAYS // 2
    parts = [(0, half), (half, DAYS - half)]
    started = [_start("match", folder, *part, threads=1) for part in parts]
    runs = [_ended(process) for process in started]
    files = [folder / f"counts_{first}_{count}.parquet" for first, count in parts]
    return _sorted(pl.read_parquet(files)), max(run["seconds"] for run in runs)


def _start(what: str, folder: Path, first: int, count: int, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.passages", what, str(folder)]
    return subprocess.Popen(  # noqa: S603  # our own command
        [*command, str(first), str(count)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        env={**os.environ, "POLARS_MAX_THREADS": str(threads)},
    )


def _ended(process: subprocess.Popen[str]) -> dict[str, float]:
    """What the process told: its last line; what it printed before goes on. Peak in GiB."""
    with process:
        lines = process.stdout.read().splitlines() if process.stdout else []
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    for line in lines[:-1]:
        print(line)
    told: dict[str, float] = json.loads(lines[-1])
    return {**told, "gib": usage.ru_maxrss / 1024**2}


def _run(what: str, folder: Path, first: int, count: int) -> dict[str, float]:
    return _ended(_start(what, folder, first, count, threads=2))


# Matching them


def match_days(folder: Path, days: Sequence[date]) -> tuple[pl.DataFrame, dict[str, float]]:
    """Counts of some days; seconds with reading, and passages of these days.

    A day's file is read once, and that of a day beside the first or last one where it is there.
    """
    from pipelines.marts.matched_trips import compute_matched_trips
    from pipelines.night import Night, Window

    stations = the_stations()
    kept: dict[date, pl.DataFrame] = {}
    parts, rows = [], 0
    begun, worked = time.perf_counter(), time.process_time()
    for day in days:
        beside = [day + timedelta(days=away) for away in (-1, 0, 1)]
        near = [one for one in beside if one in kept or file_of(folder, one).exists()]
        kept = {one: kept[one] if one in kept else _read(folder, one) for one in near}
        night = Night("bench", "Bench", day, "weekday", TIME_ZONE, Window(0, 1), "synthetic")
        parts.append(
            compute_matched_trips(
                night,
                count_stations=stations,
                passages=pl.concat(kept.values()),  # type: ignore[arg-type]  # made as staged
            )
        )
        rows += kept[day].height
    spent = {
        "seconds": time.perf_counter() - begun,
        "processor_seconds": time.process_time() - worked,
        "rows": rows,
    }
    return _sorted(pl.concat(parts)), spent


def _read(folder: Path, day: date) -> pl.DataFrame:
    return pl.read_parquet(file_of(folder, day))


def _sorted(counts: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame(counts).sort(pl.all().exclude("trip_count"))


def the_stations() -> Any:
    """The sample's stations, as staged."""
    from pipelines.sample.stations import READERS
    from pipelines.staging.traffic import CountStations

    return CountStations.validate(
        pl.DataFrame(
            {
                "source_id": ["bench"] * len(READERS),
                "version_id": ["v1"] * len(READERS),
                **{
                    name: [getattr(station, name) for station in READERS]
                    for name in CountStations.column_names()[2:]
                    if name != "direction"
                },
            }
        ).with_columns(direction=pl.lit(None, pl.String)),
        cast=True,
    )


# The peers


def compare(passages: pl.DataFrame, day: date) -> bool:
    """Print a line for each contender on one day's readings; whether all count the same."""
    from pipelines.marts.matched_trips import compute_matched_trips, reading_stations
    from pipelines.marts.ring_road import matching
    from pipelines.night import Night, Window

    listed = the_stations()
    stations = reading_stations(listed)
    night = Night("bench", "Bench", day, "weekday", TIME_ZONE, Window(0, 1), "synthetic")
    km = pl.col("straight_km")
    limits = matching.straight_km(stations).select(
        *matching.PAIR,
        most_seconds=(km / matching.SLOWEST_KMH * 3600).clip(upper_bound=matching.LONGEST_SECONDS),
    )

    def ours() -> pl.DataFrame:
        counts = compute_matched_trips(
            night,
            count_stations=listed,
            passages=passages,  # type: ignore[arg-type]  # made as staged
        )
        through = pl.DataFrame(counts).filter(directions="in out", reader="")
        return through.group_by(matching.PAIR).agg(pl.col("trip_count").sum())

    narrow = passages.select("station_id", "passed_at", "direction", "plate_hash")
    answers = [
        _median("ours (all that is counted)", ours),
        _median("DuckDB, self-join", lambda: _by_duckdb(narrow, stations, limits)),
        _median("pandas, sort and shift", _by_pandas(narrow, stations, limits)),
    ]
    trips = sum(answers[0].get_column("trip_count"))
    same = all(answer.equals(answers[0]) for answer in answers)
    print(
        f"{passages.height:,} passages, {trips:,} trips: {'the same' if same else 'OTHER'} counts"
    )
    return same


def _median(name: str, run: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    seconds = []
    for _ in range(PEER_REPEATS):
        begun = time.perf_counter()
        counts = run()
        seconds.append(time.perf_counter() - begun)
    print(f"{name:28s} {statistics.median(seconds):8.2f} s (median of {PEER_REPEATS})")
    columns = ["entry_station_id", "exit_station_id", "trip_count"]
    return counts.select(columns).cast({"trip_count": pl.Int64}).sort(columns)


def _by_duckdb(
    passages: pl.DataFrame, stations: pl.DataFrame, limits: pl.DataFrame
) -> pl.DataFrame:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        for name, frame in (("passages", passages), ("stations", stations), ("limits", limits)):
            connection.register(name, frame)
        return connection.sql(SELF_JOIN).pl()


def _by_pandas(
    passages: pl.DataFrame, stations: pl.DataFrame, limits: pl.DataFrame
) -> Callable[[], pl.DataFrame]:
    import pandas as pd

    readings, roles, longest = (f.to_pandas() for f in (passages, stations, limits))

    def run() -> pl.DataFrame:
        read = readings.dropna(subset=["plate_hash"]).merge(
            roles[["station_id", "role"]], on="station_id"
        )
        read = read.sort_values(["plate_hash", "passed_at", "station_id", "direction"])
        is_repeat = (
            (read["plate_hash"] == read["plate_hash"].shift())
            & (read["station_id"] == read["station_id"].shift())
            & (read["passed_at"].diff() <= pd.Timedelta(seconds=300))
        )
        cordon = read[~is_repeat & (read["role"] == "cordon")]
        after = cordon.shift(-1)
        pairs = cordon.assign(
            exit_station_id=after["station_id"],
            seconds=(after["passed_at"] - cordon["passed_at"]).dt.total_seconds() // 1,
        )[
            (after["plate_hash"] == cordon["plate_hash"])
            & (cordon["direction"] == "in")
            & (after["direction"] == "out")
        ].rename(columns={"station_id": "entry_station_id"})
        both = pairs.merge(longest, on=["entry_station_id", "exit_station_id"])
        within = both[both["seconds"] <= both["most_seconds"]]
        sizes = within.groupby(["entry_station_id", "exit_station_id"]).size()
        return pl.from_pandas(sizes.rename("trip_count").reset_index())

    return run


def _work(what: str, folder: Path, first: int, count: int) -> dict[str, float]:
    days = [FIRST_DAY + timedelta(days=first + number) for number in range(count)]
    if what == "make":
        return {"rows": make_days(folder, days, DAILY_READINGS)}
    if what == "peers":
        return {"same": compare(_read(folder, days[0]), days[0])}
    counts, spent = match_days(folder, days)
    counts.write_parquet(folder / f"counts_{first}_{count}.parquet")
    return spent


if __name__ == "__main__":
    print(json.dumps(_work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
