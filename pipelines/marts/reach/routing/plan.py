"""The plan of a timetable: its events in the order of time, and which arrivals each one waits for.

Of two events at one moment an arrival comes before a departure, and along a run everything in its
order; rides that last no time need the care. At most such moments the order of events by their
place in such chains of rides is right for all; where a ride that lasts no time arrives after a
departure that it could be in time for (in feeds whose times are full minutes, even in circles), the
moment is marked, and the router goes over it until nothing changes. There every ride of a run keeps
its own state, so that nobody alights who boarded later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.reach.routing.timetable import Connections, Flags, Ints, Longs


@dataclass(frozen=True)
class Changes:
    """Between which points people change, within how many seconds.

    An alighting point is a place, or a place and the runs that some rule of transfers.txt names;
    so is a boarding point. `alight` and `board` are those of each connection's end and start,
    `from_point`, `to_point` and `seconds` have one element per change (staying at the place
    included). `stays` are pairs of runs, the second of which riders of the first stay seated for.
    """

    alight: Ints
    board: Ints
    alight_place: Ints
    board_place: Ints
    from_point: Ints
    to_point: Ints
    seconds: Ints
    stays: Ints


@dataclass(frozen=True)
class Walks:
    """Walks grouped by where they begin (or end): `rows[begins[p]:begins[p + 1]]` are those of p.

    A row is the other end and the seconds.
    """

    begins: Longs
    rows: Ints

    @classmethod
    def of(cls, one: Ints, other: Ints, seconds: Ints, count: int) -> Walks:
        """Walks grouped by `one`, which counts up to `count`."""
        order = np.lexsort((other, one))
        sizes = np.bincount(one, minlength=count)
        begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(begins, np.column_stack([other[order], seconds[order]]).astype(np.int32))


@dataclass(frozen=True)
class Plan:
    """What the kernels read of one draw of a timetable; times are seconds after the window's start.

    `events` and `arrivals` have the columns that the compiled modules name; arrivals are those at
    alighting point a from `point_rows[a]` on. What event e waits for is `pulled` from
    `pull_begins[e]` on.
    """

    segments: Longs
    events: Ints
    pull_begins: Longs
    pulled: Ints
    point_rows: Longs
    arrivals: Ints
    slot_count: int
    board_count: int

    @property
    def row_count(self) -> int:
        """Rows that a sweep writes: one for each arrival, and that of nobody."""
        return len(self.arrivals) + 1


@dataclass(frozen=True)
class _Ordered:
    """Events in the order of time. `connection` is that of the event, `slot` its run's state."""

    time: Ints
    level: Ints
    is_arrival: Flags
    connection: Ints
    slot: Ints
    before: Ints  # of departures: the state that is taken over
    point: Ints


def make_plan(connections: Connections, changes: Changes, start: int, last: int) -> Plan:
    """The plan of all connections between the window's start and the last useful arrival."""
    from pipelines.marts.reach.routing import preparation

    departs, arrives = _levels(connections)
    marked = _marked_moments(connections, changes, departs, arrives)
    ordered = _ordered(connections, changes, departs, arrives, marked)
    alights = np.flatnonzero(ordered.is_arrival)
    alight_point = changes.alight[ordered.connection[alights]]
    by_point = alights[np.lexsort((alights, alight_point))]
    of_arrival = ordered.connection[by_point]
    points = np.sort(alight_point)
    point_rows = np.searchsorted(points, np.arange(len(changes.alight_place) + 1))
    # Rows are in the order of events: what is read soon after it was written is still at hand.
    row, before = np.zeros(len(ordered.time), np.int32), ordered.before.copy()
    row[alights] = np.arange(1, len(alights) + 1)
    # The row of the arrival before at a point holds all those before it.
    is_next = points[1:] == points[:-1]
    before[by_point[:1]] = 0
    before[by_point[1:]] = np.where(is_next, row[by_point[:-1]], 0)
    time, run = connections.arrival[of_arrival] - start, connections.run[of_arrival]
    arrivals = np.column_stack([time, run, of_arrival, row[by_point]]).astype(np.int32)
    row_point = np.concatenate([[-1], alight_point]).astype(np.int32)
    times = ordered.time - start
    walks = Walks.of(
        changes.to_point, changes.from_point, changes.seconds, len(changes.board_place)
    )
    begins, delivered = preparation.deliveries(
        walks.begins, walks.rows, point_rows, arrivals, last - start
    )
    boards = ~ordered.is_arrival & (ordered.point < len(changes.board_place))
    pull_begins, pulled = preparation.pulls(
        np.where(boards, ordered.point, -1).astype(np.int32),
        times,
        begins,
        delivered,
        row_point,
        len(changes.alight_place),
    )
    return Plan(
        segments=_segments(ordered.time, marked),
        events=np.column_stack([row, before, ordered.slot, ordered.point, times]).astype(np.int32),
        pull_begins=pull_begins,
        pulled=pulled,
        point_rows=point_rows,
        arrivals=arrivals,
        slot_count=int(max(ordered.slot.max(initial=0), ordered.before.max(initial=0))) + 1,
        board_count=len(changes.board_place) + 1,
    )


def _levels(connections: Connections) -> tuple[Ints, Ints]:
    """Places of departures and arrivals among the events of a run at one moment.

    An arrival has 0, the departure that follows 1; after a ride that lasts no time the next
    arrival has 2, and so on.
    """
    run, departure, arrival = connections.run, connections.departure, connections.arrival
    count = np.arange(len(run))
    is_instant = departure == arrival
    follows = np.zeros(len(run), bool)
    follows[1:] = (run[1:] == run[:-1]) & (departure[1:] == arrival[:-1]) & is_instant[:-1]
    chain = count - np.maximum.accumulate(np.where(follows, 0, count))
    departs = (1 + 2 * chain).astype(np.int32)
    return departs, np.where(is_instant, departs + 1, 0).astype(np.int32)


def _marked_moments(
    connections: Connections, changes: Changes, departs: Ints, arrives: Ints
) -> Ints:
    """Moments at which some ride that lasts no time arrives after a departure it is in time for."""
    instant = np.flatnonzero((arrives > 0) & connections.can_alight)
    late = pl.DataFrame(
        {
            "alight": changes.alight[instant],
            "time": connections.arrival[instant],
            "arrives": arrives[instant],
        }
    )
    at_once = np.flatnonzero(changes.seconds == 0)
    links = pl.DataFrame(
        {"alight": changes.from_point[at_once], "board": changes.to_point[at_once]}
    )
    boards = np.flatnonzero(connections.can_board)
    leaving = pl.DataFrame(
        {
            "board": changes.board[boards],
            "time": connections.departure[boards],
            "departs": departs[boards],
        }
    )
    met = late.join(links, on="alight").join(leaving, on=["board", "time"])
    moments = met.filter(pl.col("departs") < pl.col("arrives")).get_column("time").to_numpy()
    first, final = _ends(connections)
    before, after = changes.stays[:, 0], changes.stays[:, 1]
    is_late = (connections.arrival[final[before]] == connections.departure[first[after]]) & (
        arrives[final[before]] > departs[first[after]]
    )
    seated = connections.departure[first[after[is_late]]]
    return np.unique(np.concatenate([moments, seated])).astype(np.int32)


def _ends(connections: Connections) -> tuple[Longs, Longs]:
    """First and last connection of each run, or -1."""
    runs = int(connections.run.max(initial=-1)) + 1
    count = np.arange(len(connections.run))
    first, final = np.full(runs, -1, np.int64), np.full(runs, -1, np.int64)
    final[connections.run] = count
    first[connections.run[::-1]] = count[::-1]
    return first, final


def _ordered(
    connections: Connections, changes: Changes, departs: Ints, arrives: Ints, marked: Ints
) -> _Ordered:
    run, departure = connections.run, connections.departure
    is_same = np.zeros(len(run), bool)
    is_same[1:] = run[1:] == run[:-1]
    is_split = np.zeros(len(run), bool)
    is_split[1:] = is_same[1:] & (departure[1:] == connections.arrival[:-1])
    is_split &= np.isin(departure, marked)
    slot = np.cumsum(~is_same | is_split) - 1
    nowhere = len(changes.board_place)
    alights = np.flatnonzero(connections.can_alight)
    boards = np.flatnonzero(connections.can_board | is_split)
    first, final = _ends(connections)
    stays, goes = final[changes.stays[:, 0]], first[changes.stays[:, 1]]
    point = np.where(connections.can_board, changes.board, nowhere)
    parts: dict[str, tuple[npt.NDArray[np.integer], ...]] = {
        "time": (connections.arrival[alights], departure[boards], departure[goes]),
        "level": (arrives[alights], departs[boards], departs[goes]),
        "connection": (alights, boards, goes),
        "slot": (slot[alights], slot[boards], slot[goes]),
        "before": (slot[alights], slot[boards] - is_split[boards], slot[stays]),
        "point": (np.full(len(alights), -1), point[boards], np.full(len(goes), nowhere)),
    }
    joined = {name: np.concatenate(part).astype(np.int32) for name, part in parts.items()}
    is_arrival = np.arange(len(joined["time"])) < len(alights)
    order = np.lexsort((joined["connection"], joined["level"], joined["time"]))
    return _Ordered(
        is_arrival=is_arrival[order], **{name: part[order] for name, part in joined.items()}
    )


def _segments(time: Ints, marked: Ints) -> Longs:
    """Rows (begin, end, 1 where it has to be gone over until nothing changes) of events."""
    begins = np.searchsorted(time, marked, side="left")
    ends = np.searchsorted(time, marked, side="right")
    cuts = np.unique(np.concatenate([[0], begins, ends, [len(time)]]))
    is_marked = np.isin(cuts[:-1], begins)
    return np.column_stack([cuts[:-1], cuts[1:], is_marked]).astype(np.int64)
