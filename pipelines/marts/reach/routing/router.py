"""Travel times door to door between all cells, for every departure of a window at once.

Earliest arrival over all ways by foot and by scheduled rides. One walks from the origin to the
first stop, between two rides, from the last stop to the destination, or all the way; two walks are
never chained. Each departure is exact to the second: no ride is left out, and rides are unlimited
unless `max_rides` says otherwise (staying seated is no new ride).

A percentile is the nearest rank from below: the smallest time that at least p % of the departures
of the window (and of all draws, where runs are known by their headway only) do not exceed. A
departure that arrives after `LONGEST_MINUTES`, or never, counts as infinitely long.

    doors = Doors.of(feeds)
    timetable = read_timetable(feeds, service_date, time_zone, departures)
    foot = doors.foot(on_foot(walkways.walks(doors.points, doors.points, TRANSFER_LIMIT_M)))
    router = Router.of(timetable, link(timetable, foot, feeds.transfers), departures)
    times = router.travel_times(doors.access(access), doors.egress(egress), direct)

Threads share the work by origins, each origin's figures being its own: the result is the same for
any number of threads and any shards of origins. The compiled loops are cached beside the code, or
where that can't be written in Numba's folder of the user (NUMBA_CACHE_DIR names another one).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.reach.routing.changes import Links
from pipelines.marts.reach.routing.matrix import (
    COLUMNS,
    LONGEST_SECONDS,
    WIDTH,
    Matrix,
    passes_of,
)
from pipelines.marts.reach.routing.plan import Plan, Walks, make_plan
from pipelines.marts.reach.routing.timetable import Departures, Ints, Longs, Timetable

# Draws of phases, where runs are known by their headway only; figures come with the error that is
# left. A journey on two such lines of headway h waits for the second h/2 +- h/sqrt(12) from draw to
# draw, so ten draws leave less than a tenth of a headway.
DRAWS = 10


@dataclass(frozen=True)
class Router:
    """Plans of all draws of a timetable, ready for any origins and destinations."""

    departures: Departures
    plans: tuple[Plan, ...]
    alight_place: Ints
    board_place: Ints
    max_rides: int | None

    @classmethod
    def of(
        cls,
        timetable: Timetable,
        links: Links,
        departures: Departures,
        *,
        max_rides: int | None = None,
        draws: int = DRAWS,
    ) -> Router:
        """Prepare a timetable that was read for these departures, and the changes in it."""
        plans = []
        for draw in range(draws if timetable.is_drawn else 1):
            connections = timetable.connections(draw)
            changes = links.changes(connections, timetable.trips)
            start, last = departures.start_seconds, departures.until_seconds
            plans.append(make_plan(connections, changes, start, last))
        return cls(departures, tuple(plans), changes.alight_place, changes.board_place, max_rides)

    def travel_times(
        self,
        access: pl.DataFrame,
        egress: pl.DataFrame,
        direct: pl.DataFrame,
        *,
        origins: Sequence[int] | None = None,
        threads: int | None = None,
    ) -> pl.DataFrame:
        """One row per origin and destination within `LONGEST_MINUTES` for some percentile, sorted.

        Columns origin, destination; p25_seconds ... from door to door, null where longer; and
        p25_error_seconds ..., the standard error that the draws leave: null where nothing is drawn,
        or some draw has no such percentile. `access` and `egress` are walks as cell, place, seconds
        (`Doors.access`, `Doors.egress`), `direct` as from_index, to_index, seconds. `origins` are
        the cells to begin from (all that have walks), `threads` as many as Polars has.
        """
        threads = threads or pl.thread_pool_size()
        with ThreadPoolExecutor(threads) as pool:
            matrix = self._matrix((access, egress, direct), origins, pool, threads)
            wanted = np.arange(matrix.origin_count) if origins is None else np.unique(origins)
            # Threads take from one iterator: each batch goes to whoever is free.
            batches = iter([wanted[at : at + WIDTH] for at in range(0, len(wanted), WIDTH)])
            workers = [pool.submit(matrix.frames, batches) for _ in range(threads)]
            found = sorted(
                (rows for worker in workers for rows in worker.result()), key=itemgetter(0)
            )
        return pl.concat([pl.DataFrame(schema=COLUMNS), *(rows for _, rows in found)])

    def profiles(
        self,
        access: pl.DataFrame,
        egress: pl.DataFrame,
        direct: pl.DataFrame,
        *,
        origins: Sequence[int],
    ) -> npt.NDArray[np.float64]:
        """Seconds of every departure: an array (origin, destination, draw and departure).

        Infinite where longer than `LONGEST_MINUTES`. As large as it says: for a few origins.
        """
        with ThreadPoolExecutor(1) as pool:
            matrix = self._matrix((access, egress, direct), origins, pool, 1)
        batches = [np.array(origins[at : at + WIDTH]) for at in range(0, len(origins), WIDTH)]
        times = np.concatenate([matrix.profiles(batch) for batch in batches]).astype(np.float64)
        return np.where(times > LONGEST_SECONDS, np.inf, times)

    def _matrix(
        self,
        walks: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
        origins: Sequence[int] | None,
        pool: ThreadPoolExecutor,
        threads: int,
    ) -> Matrix:
        access, egress, direct = walks
        direct = direct.filter(pl.col("seconds") <= LONGEST_SECONDS)
        direct = direct.rename({"from_index": "cell", "to_index": "point"})
        asked = pl.Series(() if origins is None else origins, dtype=pl.UInt32)
        beginnings = _count(access["cell"], direct["cell"], asked)
        endings = _count(egress["cell"], direct["point"])
        links = _walks(_to_points(egress, self.alight_place), endings)
        deliveries = [self._deliveries(plan, links, pool, threads) for plan in self.plans]
        bases = np.cumsum([0, *(len(delivered) for _, delivered in deliveries)])
        return Matrix(
            departures=self.departures,
            plans=self.plans,
            passes=tuple(passes_of(self.plans, self.departures)),
            access=_walks(_to_points(access, self.board_place), beginnings),
            direct=_walks(direct, beginnings),
            begins=np.stack(
                [each[0] + base for each, base in zip(deliveries, bases, strict=False)]
            ),
            delivered=np.concatenate([delivered for _, delivered in deliveries]),
            max_rides=self.max_rides,
        )

    def _deliveries(
        self, plan: Plan, links: Walks, pool: ThreadPoolExecutor, threads: int
    ) -> tuple[Longs, Ints]:
        """Deliveries of one draw's arrivals to all destinations: where they begin, and rows."""
        from pipelines.marts.reach.routing import preparation

        last = self.departures.until_seconds - self.departures.start_seconds
        cuts = np.linspace(0, len(links.begins) - 1, threads + 1).astype(int)
        parts = [
            pool.submit(
                preparation.deliveries,
                links.begins[begin : end + 1],
                links.rows,
                plan.point_rows,
                plan.arrivals,
                last,
            )
            for begin, end in pairwise(cuts)
        ]
        made = [part.result() for part in parts]
        bases = np.cumsum([0, *(len(delivered) for _, delivered in made)])
        begins = [part[:-1] + base for (part, _), base in zip(made, bases, strict=False)]
        return np.concatenate([*begins, bases[-1:]]), np.concatenate([rows for _, rows in made])


def _count(*cells: pl.Series) -> int:
    """How many cells have a number."""
    return max((int(each.to_numpy().max()) + 1 for each in cells if len(each)), default=0)


def _to_points(walks: pl.DataFrame, point_places: Ints) -> pl.DataFrame:
    """Walks as cell, place, seconds, to every point of their places."""
    points = pl.DataFrame({"place": point_places}).cast(pl.UInt32).with_row_index("point")
    return walks.join(points, on="place")


def _walks(walks: pl.DataFrame, count: int) -> Walks:
    cell, point, seconds = (walks[name].to_numpy() for name in ("cell", "point", "seconds"))
    return Walks.of(cell, point, seconds, count)
