"""A feed from its zip into a database, every rule asked: ours beside readers that ask nothing.

Ours is what a night does with a new version: landing, reading, typing, all rules, staging under
contract, content hashes, and one commit to the lake. The peers read the same feed into memory
(gtfs-kit) or a database file (DuckDB's plain `read_csv` of the unpacked files, and node-gtfs's
importer), and ask no rule. Each run is a process of its own; times are taken inside it, after
imports (ours after a small feed, so that the lake has its tables), and the memory is its peak. The
last lines replicate the feed 10 and 100 times (every id and row of it) for ours and DuckDB: time
must grow with size alone, and memory little.

The feed is Tampa's (435,507 stop times) where ../shared/data has it, else one made up of that size.
node-gtfs is asked where `npm install --prefix benchmarks/node` was run; SIZES=1 leaves out the
large ones. Run: make bench NAME=ingest
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.trip_stats import TAMPA, made_up_feed

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / "benchmarks" / "node"
REPEATS, PEER_REPEATS = 5, 3
MOST_SLOWER = 1.5  # than DuckDB's plain read_csv of the same files
MOST_GIB = 4.0
SIZES = (1, 10, 100)
# Columns that tie a feed's files together; each copy of a feed gets its own.
IDS = frozenset({"trip_id", "stop_id", "route_id", "service_id", "shape_id", "fare_id", "block_id"})

NODE_SCRIPT = """
import { importGtfs } from 'gtfs';
import { rmSync } from 'node:fs';
const [zip, file] = process.argv.slice(2);
rmSync(file, { force: true });
const started = performance.now();
const agencies = [{ path: zip }];
await importGtfs({ agencies, sqlitePath: file, verbose: false, ignoreErrors: true });
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000 }));
"""


def main() -> int:
    """Print a line per contender and size, and the ratio; 1 where a limit is passed."""
    sizes = tuple(int(size) for size in os.environ.get("SIZES", "").split(",") if size) or SIZES
    with tempfile.TemporaryDirectory(prefix="qala-bench-") as name:
        folder = Path(name)
        feed = TAMPA
        if not TAMPA.exists():
            feed = folder / "feed.zip"
            feed.write_bytes(made_up_feed())
        print("feed:", TAMPA.name if TAMPA.exists() else "made up")
        ours = _median("ours", feed, folder, REPEATS)
        plain = _median("duckdb", feed, folder, REPEATS)
        peers = [plain, _median("gtfs_kit", feed, folder, PEER_REPEATS)]
        if (NODE / "node_modules" / "gtfs").is_dir():
            peers.append(_median("node_gtfs", feed, folder, PEER_REPEATS))
        else:
            print("node-gtfs: not installed (npm install --prefix benchmarks/node)")
        print(f"ours / DuckDB's plain read_csv: {ours[0] / plain[0]:.2f} (at most {MOST_SLOWER})")
        is_good = ours[0] <= MOST_SLOWER * plain[0]
        for size in sizes:
            if size > 1:
                is_good &= _replicated(feed, folder, size, ours[0])
        print(f"ratio: {min(seconds for seconds, _ in peers) / ours[0]:.2f}")
    return 0 if is_good else 1


def _replicated(feed: Path, folder: Path, size: int, once: float) -> bool:
    large = folder / f"x{size}.zip"
    replicate(feed, large, size)
    seconds, gib = _median("ours", large, folder, 1, label=f"ours x{size}")
    _median("duckdb", large, folder, 1, label=f"duckdb x{size}")
    large.unlink()
    print(f"  x{size}: {seconds / once / size:.2f} of linear, peak {gib:.2f} GiB")
    return gib <= MOST_GIB


def _median(
    contender: str, feed: Path, folder: Path, repeats: int, label: str = ""
) -> tuple[float, float]:
    runs = [_run(contender, feed, folder) for _ in range(repeats)]
    seconds = statistics.median(run["seconds"] for run in runs)
    gib = max(run["gib"] for run in runs)
    print(f"{label or contender}: {seconds:.3f} s, peak {gib:.2f} GiB (median of {repeats})")
    return seconds, gib


def _run(contender: str, feed: Path, folder: Path) -> dict[str, float]:
    """Seconds and peak memory (GiB) of one run in a process of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if contender == "node_gtfs":
            script = NODE / "bench.mjs"
            script.write_text(NODE_SCRIPT)
            command = ["node", str(script), str(feed), f"{scratch}/gtfs.sqlite"]
        else:
            command = [sys.executable, "-m", "benchmarks.ingest", contender, str(feed), scratch]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:  # noqa: S603  # our own commands
            text = process.stdout.read() if process.stdout else ""
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{contender} ended with {process.returncode}")
        told: dict[str, float] = json.loads(text.splitlines()[-1])
        return {**told, "gib": usage.ru_maxrss / 1024**2}


def replicate(feed: Path, target: Path, copies: int) -> None:
    """A feed of several copies of another, each with ids of its own; rows in the same order."""
    with (
        zipfile.ZipFile(feed) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
    ):
        for name in source.namelist():
            header, _, body = source.read(name).decode("utf-8-sig").partition("\n")
            columns = [column.strip().strip('"') for column in header.split(",")]
            places = [place for place, column in enumerate(columns) if column in IDS]
            with out.open(name, "w", force_zip64=True) as file:
                file.write(f"{header.strip()}\n".encode())
                for copy in range(copies if places else 1):
                    file.write(_marked(body, places, copy))


def _marked(body: str, places: list[int], copy: int) -> bytes:
    lines = []
    for line in body.splitlines():
        cells = line.split(",")
        for place in places:
            if place < len(cells) and cells[place]:
                mark = f"-{copy}"
                quoted = cells[place].endswith('"')
                cells[place] = f'{cells[place][:-1]}{mark}"' if quoted else cells[place] + mark
        lines.append(",".join(cells))
    return ("\n".join(lines) + "\n").encode()


def _ours(feed: Path, scratch: Path) -> Callable[[], Any]:
    os.environ["QALA_DATA"] = str(scratch)
    city = scratch / "city.toml"
    city.write_text(
        '[city]\nid = "bench"\nname = "Bench"\ntime_zone = "UTC"\n\n[sources.bus]\nkind = "gtfs"\n'
        f'address = "{feed}"\nformat = "zip"\nmark = "measured"\nmax_megabytes = 4000\n'
        "max_quarantine_share = 1.0\n"
    )
    os.environ["QALA_CITY"] = str(city)
    from pipelines import run

    def ingest(night: str = "2026-11-20") -> None:
        fetched = run.fetch("bus", night, "bench")
        report = run.load("bus", fetched, night, "bench")
        if report["outcome"] != "done":
            raise SystemExit(f"the load is {report['outcome']}: {report['text']}")

    # A small feed the night before: a night finds the lake's tables made and its modules imported.
    small = scratch / "small.zip"
    small.write_bytes(made_up_feed(trips=50))
    text = city.read_text()
    city.write_text(text.replace(str(feed), str(small)))
    ingest("2026-11-19")
    city.write_text(text)
    return ingest


def _duckdb(feed: Path, scratch: Path) -> Callable[[], Any]:
    import duckdb

    with zipfile.ZipFile(feed) as archive:
        archive.extractall(scratch)

    def ingest() -> None:
        with duckdb.connect(str(scratch / "plain.duckdb")) as connection:
            for file in sorted(scratch.glob("*.txt")):
                connection.execute(
                    f"CREATE TABLE {file.stem} AS FROM read_csv('{file}', all_varchar = false)"
                )

    return ingest


def _gtfs_kit(feed: Path, _scratch: Path) -> Callable[[], Any]:
    import gtfs_kit

    return lambda: gtfs_kit.read_feed(feed, dist_units="km")


CONTENDERS = {"ours": _ours, "duckdb": _duckdb, "gtfs_kit": _gtfs_kit}

if __name__ == "__main__":
    ingest = CONTENDERS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    begun = time.perf_counter()
    ingest()
    print(json.dumps({"seconds": time.perf_counter() - begun}))
