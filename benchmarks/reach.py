"""Earliest arrivals at all stops, ours beside the routers that install from npm; and a whole city.

First the same feed, the same queries (a stop and a second), one process on one core each, and the
arrivals at all stops compared one by one: minotor and raptor-journey-planner (both RAPTOR in
JavaScript) read the feed before their time is taken, ours prepares its plan before. Theirs is the
time of all queries by itself, ours that from the walks to the last arrival. Stops are changed
between by foot where they lie within `NEAR_M`, and where such walks chain they are one walk, since
both peers chain walks and ours never does. Their stop ids begin with a letter: both take ids that
look like numbers for numbers. Runs that overtake others of their stop pattern have routes of their
own. Both peers have a mistake that node/reach.mjs tells of, and mends: their arrivals are compared
as they come, and mended. Where they differ, a plain scan in Python says who is right (both peers
know but one call of a run at a stop).

Then all cells to all cells, 60 departures, on all cores: access, egress and percentiles included,
the walks between cells and stops given; its parts, memory, and growth with origins and departures.
Last the sample city, which has Almaty's size: all its feeds and cells, 120 departures.

The feeds are Porto Alegre's where ../shared/data has them, else one made up.
The peers are asked where `npm install --prefix benchmarks/node` was run.
Run: make bench NAME=reach
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
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from benchmarks.trip_stats import made_up_feed
from pipelines.marts.reach.assumptions import (
    ACCESS_LIMIT_M,
    DIRECT_LIMIT_M,
    LONGEST_MINUTES,
    TRANSFER_LIMIT_M,
)
from pipelines.marts.reach.routing.changes import link
from pipelines.marts.reach.routing.feeds import Feeds
from pipelines.marts.reach.routing.router import Router
from pipelines.marts.reach.routing.stations import Doors, on_foot
from pipelines.marts.reach.routing.timetable import Departures, Timetable, read_timetable
from pipelines.marts.reach.walking import Walkways
from pipelines.night import SourceVersion
from pipelines.sample import list_objects, make_object
from pipelines.sources.gtfs.parse import parse_gtfs
from pipelines.staging import gtfs

ROOT = Path(__file__).resolve().parents[1]
NODE = ROOT / "benchmarks" / "node"
FOLDER = ROOT.parent / "shared" / "data" / "access" / "r5r_poa"
PEERS = ("minotor", "raptor-journey-planner")
NEAR_M = 60.0
ORIGINS, DEPARTURES_APART = 16, 300
REPEATS, PEER_REPEATS = 5, 3
MOST_REFEREED = 12
MOST_SECONDS, MOST_GIB, MOST_GROWTH = 1.5, 2.0, 1.2
MOST_SAMPLE_SECONDS, SAMPLE_DAY = 20.0, date(2026, 11, 19)
LONGEST_SECONDS = LONGEST_MINUTES * 60
NEVER = sys.maxsize

Result = TypeVar("Result")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class City:
    """Feeds, a day and an hour of them, and cells."""

    name: str
    feeds: Feeds
    day: date
    time_zone: str
    window: Departures
    cells: Floats


def main() -> int:
    """Print a line per contender and the ratio; 1 where arrivals differ without a reason."""
    city = _city()
    print(f"feed: {city.name}")
    is_good, ratio = _one_to_all(city)
    is_porto_alegre = city.name == "Porto Alegre"
    is_good &= _whole_matrix(city, "given", MOST_SECONDS if is_porto_alegre else None)
    is_good &= _whole_matrix(_sample_city(), "sample", MOST_SAMPLE_SECONDS)
    print(f"ratio: {ratio:.1f}" if ratio else "ratio: no peer is installed")
    return 0 if is_good else 1


def _city() -> City:
    if FOLDER.is_dir():
        names = ("poa_eptc", "poa_trensurb")
        payloads = [(FOLDER / f"{name}.zip").read_bytes() for name in names]
        grid = pl.read_csv(FOLDER / "poa_hexgrid.csv").select("lat", "lon").to_numpy()
        hour = Departures(13 * 3600 + 1800, 14 * 3600 + 1800)
        day, zone = date(2019, 5, 13), "America/Sao_Paulo"
        return City("Porto Alegre", _staged(names, payloads), day, zone, hour, grid)
    feeds = _staged(("made-up",), [made_up_feed()])
    hour = Departures(8 * 3600, 9 * 3600)
    every = feeds.stops.select("stop_lat", "stop_lon").gather_every(2).to_numpy()
    return City("made up", feeds, date(2018, 3, 1), "America/New_York", hour, every)


def _sample_city() -> City:
    names = ("metro_gtfs", "bus_gtfs", "rail_gtfs")
    payloads = [
        make_object(name, list_objects(name, SAMPLE_DAY)[-1].name, SAMPLE_DAY) for name in names
    ]
    grid = pl.read_csv(make_object("population", "population_500m.csv", SAMPLE_DAY))
    cells = grid.select("latitude", "longitude").to_numpy()
    hours = Departures(7 * 3600, 9 * 3600)
    return City("the sample", _staged(names, payloads), SAMPLE_DAY, "Asia/Almaty", hours, cells)


def _staged(names: tuple[str, ...], payloads: list[bytes]) -> Feeds:
    tables: dict[str, list[pl.DataFrame]] = {}
    for name, payload in zip(names, payloads, strict=True):
        source = SourceVersion(name, name, "feed.zip", "zip")
        feed = parse_gtfs(payload, source)
        calls = [gtfs.stage_stop_times(part, source).rows for part in feed.parts()]
        tables.setdefault("stop_times", []).extend(calls)
        for table in Feeds.__dataclass_fields__.keys() - {"stop_times"}:
            rows = getattr(gtfs, f"stage_{table}")(feed, source).rows
            tables.setdefault(table, []).append(rows)
    return Feeds(**{table: pl.concat(parts) for table, parts in tables.items()})


@dataclass(frozen=True)
class Questions:
    """Queries (place, seconds) to the places that runs call at, and walks between these."""

    timetable: Timetable
    walks: pl.DataFrame
    calls: npt.NDArray[np.uint32]
    queries: list[tuple[int, int]]


def _one_to_all(city: City) -> tuple[bool, float | None]:
    """Whether all arrivals are equal or explained, and the best peer's time by ours."""
    window = Departures(city.window.start_seconds, city.window.end_seconds, DEPARTURES_APART)
    timetable = read_timetable(city.feeds, city.day, city.time_zone, window)
    walks = _closed_walks(timetable)
    riding = timetable.calls.join(timetable.runs, on="trip", how="semi")
    calls = riding["place"].unique().sort().to_numpy()
    origins = calls[np.linspace(0, len(calls) - 1, ORIGINS).astype(int)].tolist()
    lanes = [window.start_seconds + lane * window.step_seconds for lane in range(window.count)]
    asked = Questions(timetable, walks, calls, [(stop, at) for stop in origins for at in lanes])
    print(f"{len(asked.queries)} queries to {len(calls):,} stops, {walks.height:,} walks")
    links = link(timetable, walks, city.feeds.transfers.clear())
    router = Router.of(timetable, links, window)
    by_cell = walks.rename({"from_place": "cell", "to_place": "place"})
    back = walks.rename({"to_place": "cell", "from_place": "place"})
    direct = walks.rename({"from_place": "from_index", "to_place": "to_index"})

    def ours() -> Floats:
        return router.profiles(by_cell, back, direct, origins=origins)

    ours()
    profiles, seconds = _median(ours, REPEATS)
    arrivals = profiles.transpose(0, 2, 1) + np.array(lanes)[:, None]
    arrivals = arrivals.reshape(len(asked.queries), -1)[:, calls]
    _tell("qala", seconds, asked, REPEATS)
    best, is_good = None, True
    with tempfile.TemporaryDirectory(prefix="qala-bench-") as name:
        folder = Path(name)
        _write_feed(folder, city.day, asked)
        for peer in PEERS:
            if not (NODE / "node_modules" / peer).is_dir():
                print(f"{peer}: not installed (npm install --prefix benchmarks/node)")
                continue
            told = [
                _peer(peer, folder, "mended"),
                *(_peer(peer, folder) for _ in range(1, PEER_REPEATS)),
            ]
            took = statistics.median(each["seconds"] for each in told)
            _tell(peer, took, asked, PEER_REPEATS)
            is_good &= _compared("", arrivals, told[0]["arrivals"], asked)
            is_good &= _compared("mended (see reach.mjs): ", arrivals, told[0]["mended"], asked)
            best = min(best or took, took)
    return is_good, best / seconds if best else None


def _tell(name: str, seconds: float, asked: Questions, repeats: int) -> None:
    each = seconds / len(asked.queries) * 1e6
    print(f"{name:24s} {each:10.1f} us a query (median of {repeats}, one core)")


def _median(run: Callable[[], Result], repeats: int) -> tuple[Result, float]:
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begun)
    return result, statistics.median(seconds)


def _peer(peer: str, folder: Path, *how: str) -> dict[str, Any]:
    command = ["node", str(NODE / "reach.mjs"), peer, str(folder), *how]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own command
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def _closed_walks(timetable: Timetable) -> pl.DataFrame:
    """Walks between stops that lie near each other, chains of them as one: all pairs of a chain."""
    places = timetable.places.select("latitude", "longitude").to_numpy()
    near = Walkways.straight().walks(places, places, NEAR_M)
    seconds = on_foot(near).with_columns(pl.col("seconds").clip(1))
    graph = csr_matrix(
        (seconds["seconds"].to_numpy(), (seconds["from_index"], seconds["to_index"])),
        shape=(len(places), len(places)),
    )
    least = dijkstra(graph, directed=False)
    one, other = np.nonzero(np.isfinite(least))
    rows = {"from_place": one, "to_place": other, "seconds": least[one, other].astype(np.int32)}
    types = {"from_place": pl.UInt32, "to_place": pl.UInt32, "seconds": pl.Int32}
    return pl.DataFrame(rows).cast(types)  # type: ignore[arg-type]  # classes of types


def _write_feed(folder: Path, day: date, asked: Questions) -> None:
    """The trips of the day as a GTFS feed of one service, walks as transfers; and the queries."""
    about = {
        "date": day.isoformat(),
        "stops": [f"s{stop}" for stop in asked.calls],
        "queries": [(f"s{stop}", at) for stop, at in asked.queries],
    }
    (folder / "queries.json").write_text(json.dumps(about))
    timetable = asked.timetable
    places = timetable.places
    riding = _without_overtaking(timetable)
    calls = timetable.calls.join(riding, on="trip", how="semi", maintain_order="left")
    clock = [
        pl.format(
            "{}:{}:{}",
            *(
                part.cast(pl.String).str.zfill(2)
                for part in (
                    pl.col(name) // 3600,
                    pl.col(name) // 60 % 60,
                    pl.col(name) % 60,
                )
            ),
        ).alias(f"{name}_time")
        for name in ("arrival", "departure")
    ]
    stop = pl.format("s{}", "place").alias("stop_id")
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    number = day.strftime("%Y%m%d")
    service = {"service_id": "day", "start_date": number, "end_date": number}
    apart = asked.walks.filter(pl.col("from_place") != pl.col("to_place"))
    tables = {
        "agency": pl.DataFrame(
            {"agency_id": "a", "agency_name": "A", "agency_url": "", "agency_timezone": "UTC"}
        ),
        "calendar": pl.DataFrame(service | dict.fromkeys(days, 1)),
        "routes": riding.select(
            "route_id", "route_type", route_short_name="route_id", agency_id=pl.lit("a")
        ).unique(maintain_order=True),
        "stops": places.join(calls, on="place", how="semi").select(
            stop, stop.alias("stop_name"), stop_lat="latitude", stop_lon="longitude"
        ),
        "trips": riding.select(
            "route_id",
            pl.format("t{}", "trip").alias("trip_id"),
            service_id=pl.lit("day"),
        ),
        "stop_times": calls.select(
            pl.format("t{}", "trip").alias("trip_id"),
            *clock,
            stop,
            "stop_sequence",
            pickup_type=1 - pl.col("can_board").cast(pl.Int32),
            drop_off_type=1 - pl.col("can_alight").cast(pl.Int32),
        ),
        "transfers": apart.select(
            pl.format("s{}", "from_place").alias("from_stop_id"),
            pl.format("s{}", "to_place").alias("to_stop_id"),
            transfer_type=2,
            min_transfer_time="seconds",
        ),
    }
    with zipfile.ZipFile(folder / "feed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in tables.items():
            table.write_csv(folder / f"{name}.txt")
            archive.write(folder / f"{name}.txt", f"{name}.txt")


def _without_overtaking(timetable: Timetable) -> pl.DataFrame:
    """Trips that ride, each with a route_id whose runs have one stop pattern and never overtake.

    RAPTOR takes that for given of a route, and minotor of whatever has one route_id and pattern.
    """
    trips = timetable.trips.join(timetable.runs, on="trip", how="semi").drop("route_id")
    calls = timetable.calls.join(trips, on="trip", how="semi")
    times = calls.group_by("trip", maintain_order=True).agg("place", "arrival", "departure")
    routes = dict(trips.select("trip", "route").iter_rows())
    lines: dict[tuple[int, ...], list[list[int]]] = {}
    route_ids = {}
    for trip, places, arrivals, departures in sorted(times.rows(), key=lambda row: row[3]):
        latest = lines.setdefault((routes[trip], *places), [])
        own = [*arrivals, *departures]
        ahead = (
            line
            for line, before in enumerate(latest)
            if all(now >= then for now, then in zip(own, before, strict=True))
        )
        line = next(ahead, len(latest))
        latest[line : line + 1] = [own]
        route_ids[trip] = f"r{routes[trip]}-{line}"
    return trips.with_columns(
        route_id=pl.col("trip").replace_strict(route_ids, return_dtype=pl.String)
    )


def _compared(which: str, ours: Floats, told: list[list[int | None]], asked: Questions) -> bool:
    """Print where a peer's arrivals differ; false where a plain scan does not find ours."""
    leaves = np.array([at for _, at in asked.queries])[:, None]
    theirs = np.array(told, np.float64)
    # What takes longer than ours looks is told by none.
    theirs = np.where(np.isnan(theirs) | (theirs - leaves > LONGEST_SECONDS), np.inf, theirs)
    differ = theirs != ours
    unequal = np.flatnonzero(differ.any(axis=1))
    refereed = [
        bool((_scan(asked, *asked.queries[query])[asked.calls] == ours[query]).all())
        for query in unequal[:: max(1, len(unequal) // MOST_REFEREED)]
    ]
    print(f"  {which}{differ.sum():,} of {differ.size:,} arrivals differ", end="")
    print(f", {int((theirs < ours).sum()):,} of them earlier than ours" if differ.any() else "")
    if refereed:
        print(f"  a plain scan finds ours in {sum(refereed)} of {len(refereed)} such queries")
    return all(refereed)


def _scan(asked: Questions, stop: int, leaves: int) -> Floats:
    """Arrivals at all places by a connection scan, over and over until nothing changes."""
    connections = asked.timetable.connections()
    order = np.lexsort((connections.arrival, connections.departure))
    columns = ("run", "from_place", "to_place", "departure", "arrival", "can_board", "can_alight")
    told = [getattr(connections, name)[order].tolist() for name in columns]
    rides = list(zip(order.tolist(), *told, strict=True))
    near: dict[int, list[tuple[int, int]]] = {}
    for one, other, seconds in asked.walks.rows():
        near.setdefault(one, []).append((other, seconds))
    arrivals = np.full(asked.timetable.places.height, np.inf).tolist()
    for other, seconds in near[stop]:
        arrivals[other] = leaves + seconds
    seated: dict[int, int] = {}  # by run, the first connection that one can be on
    before = None
    while before != seated:
        before = dict(seated)
        for number, run, at, to, departure, arrival, can_board, can_alight in rides:
            if can_board and arrivals[at] <= departure and seated.get(run, NEVER) > number:
                seated[run] = number
            if can_alight and seated.get(run, NEVER) <= number:
                for other, seconds in near[to]:
                    arrivals[other] = min(arrivals[other], arrival + seconds)
    found = np.array(arrivals)
    return np.where(found - leaves <= LONGEST_SECONDS, found, np.inf)


def _whole_matrix(city: City, which: str, most_seconds: float | None) -> bool:
    """All cells to all cells in a process of its own: times of the parts, memory and growth."""
    command = [sys.executable, "-m", "benchmarks.reach", "matrix", which]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:  # noqa: S603  # our own command
        text = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the matrix ended with {process.returncode}")
    gib = usage.ru_maxrss / 1024**2
    told = json.loads(text.splitlines()[-1])
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in told["parts"].items())
    whole = sum(told["parts"].values())
    print(
        f"{city.name}: {len(city.cells):,} cells to all cells, {city.window.count} departures:"
        f" {whole:.2f} s on"
    )
    print(f"  {told['threads']} cores ({parts}; best of {REPEATS} each), peak {gib:.2f} GiB")
    print(f"  walks between cells and stops, before: {told['walks']:.2f} s; ", end="")
    print(f"loading compiled code: {told['loading']:.2f} s")
    grown = told["grown"]
    rates = ", ".join(f"{name} {rate:.2f}" for name, rate in grown.items())
    print(f"  time by that of linear growth (at most {MOST_GROWTH}): {rates}")
    is_fast = most_seconds is None or whole <= most_seconds
    if not is_fast:
        print(f"  slower than {most_seconds} s")
    return is_fast and gib <= MOST_GIB and max(grown.values()) <= MOST_GROWTH


def _matrix(which: str) -> None:
    """The measures of a whole city, told as a line of JSON."""
    city = _sample_city() if which == "sample" else _city()
    walkways = Walkways.straight()
    begun = time.perf_counter()
    doors = Doors.of(city.feeds)
    near = on_foot(walkways.walks(city.cells, doors.points, ACCESS_LIMIT_M))
    back = near.rename({"from_index": "to_index", "to_index": "from_index"})
    access, egress = doors.access(near), doors.egress(back)
    direct = on_foot(walkways.walks(city.cells, city.cells, DIRECT_LIMIT_M))
    foot = doors.foot(on_foot(walkways.walks(doors.points, doors.points, TRANSFER_LIMIT_M)))
    walked = time.perf_counter() - begun

    def prepared(window: Departures) -> Router:
        timetable = read_timetable(city.feeds, city.day, city.time_zone, window)
        return Router.of(timetable, link(timetable, foot, city.feeds.transfers), window)

    def routed(router: Router, origins: int) -> pl.DataFrame:
        return router.travel_times(access, egress, direct, origins=range(origins))

    begun = time.perf_counter()
    router = prepared(city.window)
    routed(router, 1)
    loading = time.perf_counter() - begun
    count = len(city.cells)
    parts = {
        "timetable": _best(lambda: prepared(city.window)),
        "travel times": _best(lambda: routed(router, count)),
    }
    start = city.window.start_seconds
    half = prepared(Departures(start, start + (city.window.end_seconds - start) // 2))
    grown = {
        "half to all origins": parts["travel times"]
        / _best(lambda: routed(router, count // 2))
        / 2,
        "half to all departures": parts["travel times"] / _best(lambda: routed(half, count)) / 2,
    }
    told = {"walks": walked, "loading": loading, "parts": parts, "grown": grown}
    print(json.dumps(told | {"threads": pl.thread_pool_size()}))


def _best(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["matrix"]:
        _matrix(sys.argv[2])
        sys.exit(0)
    sys.exit(main())
