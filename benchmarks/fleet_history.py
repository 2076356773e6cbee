"""Ten years of daily snapshots of 3,500 vehicles, in one Parquet file: from bytes to burn-down.

What a night does with such a register, outside Airflow and without the lake: reading, changes by
vehicle, staging under contract, history by date and knowledge, and the monthly burn-down. The file
is made up with a seed: vehicles are replaced at twelve years, some change their operator,
and a few lapse for days. The burn-down is compared with a count of the file's own rows.

Run: make bench NAME=fleet_history
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
FIRST_DAY, DAYS, VEHICLES = date(2015, 11, 20), 3_653, 3_500
MOST_SECONDS = 20.0
REPEATS = 3
LIFE_DAYS = 12 * 365
FUELS = ("diesel", "cng", "electric")


def made_up_register(
    days: int = DAYS, vehicles: int = VEHICLES, seed: int = 1
) -> tuple[bytes, pl.DataFrame]:
    """Parquet of a snapshot a day, and the diesel count of every day as the generator knows it.

    Every place of the fleet is held by one vehicle after another; a vehicle's number names its
    place and its turn.
    """
    rng = np.random.default_rng(seed)
    place = np.arange(vehicles)
    entry = -rng.integers(0, LIFE_DAYS, vehicles)  # day on which the place's first vehicle entered
    changes = rng.integers(0, 3 * days, vehicles)  # one place in three changes its operator
    parts: list[pl.DataFrame] = []
    for day in range(days):
        turn = (day - entry) // LIFE_DAYS
        fuel = np.where(turn == 0, np.where(place % 5 == 0, 1, 0), 1 + (place % 7 == 0))
        there = ~((place % 97 == 0) & (day % 400 < 3) & (day > 0))
        parts.append(
            pl.DataFrame(
                {
                    "day": np.full(int(there.sum()), day),
                    "place": place[there],
                    "turn": turn[there],
                    "fuel": fuel[there],
                    "carrier": (place % 9 + (day >= changes))[there],
                    "entered": (entry + turn * LIFE_DAYS)[there],
                }
            )
        )
    rows = pl.concat(parts)
    first = pl.lit(FIRST_DAY)
    register = rows.select(
        snapshot_date=first + pl.duration(days="day"),
        vehicle_id=pl.format("{}-{}", "place", "turn"),
        operator_name=pl.format("Carrier {}", "carrier"),
        depot_name=pl.format("Depot {}", pl.col("place") % 12),
        fuel_type=pl.col("fuel").replace_strict(
            list(range(len(FUELS))), FUELS, return_dtype=pl.String
        ),
        emission_standard=pl.when(pl.col("turn") == 0)
        .then(pl.lit("Euro IV"))
        .otherwise(pl.lit("Euro VI")),
        manufacture_date=first + pl.duration(days=pl.col("entered") - 90),
        in_service_date=first + pl.duration(days="entered"),
        status=pl.when(pl.col("place") % 8 == 0)
        .then(pl.lit("reserve"))
        .otherwise(pl.lit("in_service")),
        service_scope=pl.when(pl.col("place") % 6 == 0)
        .then(pl.lit("suburban"))
        .otherwise(pl.lit("city")),
        is_step_free=pl.when(pl.col("turn") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")),
        model_name=pl.format("Model {}", pl.col("place") % 20),
    )
    diesel = register.group_by("snapshot_date").agg(
        diesel_count=(pl.col("fuel_type") == "diesel").sum(), fleet_count=pl.len()
    )
    buffer = io.BytesIO()
    register.write_parquet(buffer)
    return buffer.getvalue(), diesel.sort("snapshot_date")


def burn_down(payload: bytes, day: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The history of a register in one Parquet file, and its burn-down on a day."""
    from pipelines.marts.diesel_burn_down import DieselBurnDown
    from pipelines.marts.vehicle_history import compute_vehicle_history
    from pipelines.night import Night, SourceVersion, Window
    from pipelines.sources.fleet.parse import parse_fleet
    from pipelines.staging.fleet import RegisterVersions, stage_vehicle_states, stage_vehicles
    from pipelines.warehouse.sql_maker import run_sql_mart

    source = SourceVersion("fleet", "v1", "register.parquet", "parquet")
    raw = parse_fleet(payload, source)
    vehicles, states = stage_vehicles(raw, source), stage_vehicle_states(raw, source)
    if vehicles.refused or states.refused:
        raise SystemExit("rows were refused")
    versions = pl.DataFrame(
        [("fleet", "register.parquet", day, None, "v1", 0)],
        schema={name: column.dtype for name, column in RegisterVersions.columns().items()},
        orient="row",
    )
    history = compute_vehicle_history(
        vehicles=vehicles.rows,  # type: ignore[arg-type]  # just staged under contract
        vehicle_states=states.rows,  # type: ignore[arg-type]  # the same
        register_versions=RegisterVersions.validate(versions),
    )
    night = Night("bench", "Bench", day, "weekday", "UTC", Window(25_200, 32_400), "synthetic")
    frames = {"marts.vehicle_history": history, "told.register_versions": versions}
    made = run_sql_mart(ROOT / "sql" / "marts" / "diesel_burn_down.sql", night, frames)
    return history, DieselBurnDown.validate(made)


def differences(made: pl.DataFrame, known: pl.DataFrame) -> int:
    """Dates on which the burn-down is not the file's own count."""
    both = made.filter(pl.col("status_scope") == "with reserve").join(
        known, left_on="as_of_date", right_on="snapshot_date", suffix="_known"
    )
    is_other = (pl.col("diesel_count") != pl.col("diesel_count_known")) | (
        pl.col("fleet_count") != pl.col("fleet_count_known")
    )
    return both.filter(is_other).height + (0 if both.height else 1)


def main() -> int:
    """Print the median time, memory and sizes; 1 where the limit is passed or a count differs."""
    with tempfile.TemporaryDirectory(prefix="qala-bench-") as name:
        file, counts = Path(name) / "register.parquet", Path(name) / "known.parquet"
        # Made in a process of its own: who starts a process lends it its peak of memory.
        _run("make", file, counts)
        print(f"file: {VEHICLES * DAYS:,} rows at most, {file.stat().st_size / 2**20:.0f} MiB")
        runs = [_run("read", file, counts) for _ in range(REPEATS)]
    seconds = sorted(run["seconds"] for run in runs)[REPEATS // 2]
    last = runs[-1]
    print(
        f"ours: {seconds:.2f} s (at most {MOST_SECONDS:.0f}; a process took "
        f"{min(run['processor_seconds'] for run in runs):.1f} s of processor time), peak "
        f"{max(run['gib'] for run in runs):.2f} GiB (median of {REPEATS}); "
        f"{last['history']:.0f} rows of history, {last['burn_down']:.0f} of burn-down, "
        f"{last['differences']:.0f} differences"
    )
    return 0 if seconds <= MOST_SECONDS and not last["differences"] else 1


def _run(what: str, file: Path, counts: Path) -> dict[str, float]:
    """Seconds, sizes and peak memory (GiB) of one run in a process of its own, on two threads."""
    command = [sys.executable, "-m", "benchmarks.fleet_history", what, str(file), str(counts)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "2"}
    with subprocess.Popen(  # noqa: S603  # our own command
        command, stdout=subprocess.PIPE, cwd=ROOT, text=True, env=environment
    ) as process:
        text = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    told: dict[str, float] = json.loads(text.splitlines()[-1])
    processor = usage.ru_utime + usage.ru_stime
    return {**told, "gib": usage.ru_maxrss / 1024**2, "processor_seconds": processor}


def _make(file: Path, counts: Path) -> dict[str, float]:
    payload, known = made_up_register()
    file.write_bytes(payload)
    known.write_parquet(counts)
    return {}


def _read(file: Path, counts: Path) -> dict[str, float]:
    payload, known = file.read_bytes(), pl.read_parquet(counts)
    begun = time.perf_counter()
    history, series = burn_down(payload, FIRST_DAY + timedelta(days=DAYS - 1))
    seconds = time.perf_counter() - begun
    sizes = {"history": history.height, "burn_down": series.height}
    return {"seconds": seconds, **sizes, "differences": differences(series, known)}


if __name__ == "__main__":
    work = {"make": _make, "read": _read}[sys.argv[1]]
    print(json.dumps(work(Path(sys.argv[2]), Path(sys.argv[3]))))
