"""Which version of a feed governs which service day, as known on a night.

A version covers the days of its *period*: from feed_start_date to feed_end_date where feed_info
gives them, else from the first to the last date of any of its services.

1. *In force* on day D is the version fetched latest on or before the night of D that covers D; for
   days to come, the one fetched latest of all. A version published ahead thus governs from its
   first day on, and until then the version before goes on.
2. *Delivered later*: where rule 1 finds none, the first version fetched after D that covers D.
3. *Bridged*: where no version covers D, the version in force before the gap goes on for at most
   `MOST_BRIDGED_DAYS`; after that, or where none was before, the version in force after the gap
   begins as many days early. Such days are assumed.
4. *None*: on all other days no version governs, and there is no number.

On a bridged day a version has no service of its own: its services of the nearest day of its dates
that has the same weekday are taken (`with_assumed_services`).
Left out: whether a day is a public holiday, on either side.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise

import dataframely as dy
import numpy as np
import polars as pl

# Our assumption: an old timetable says little after four weeks, in which each weekday has stood in
# for itself four times.
MOST_BRIDGED_DAYS = 28
# How far ahead days are told, at least.
LOOK_AHEAD_DAYS = 60

IN_FORCE = "in force"
LATER = "in force, delivered later"
BEFORE = "bridged from the version before"
AFTER = "bridged from the version after"
NONE = "none"
BASES = (IN_FORCE, LATER, BEFORE, AFTER, NONE)

_NO_VERSION = -1


class FetchedVersions(dy.Schema):
    """One row per feed and unbroken run of good fetches that brought the same version."""

    source_id = dy.String(primary_key=True, description="Feed.")
    fetch_number = dy.Int64(primary_key=True, min=1, description="Place among the feed's runs.")
    version_id = dy.String(description="Version that was fetched.")
    first_night_date = dy.Date(description="Night of the run's first fetch.")
    last_night_date = dy.Date(description="Night of the run's last fetch.")


DAYS = {
    "source_id": pl.String,
    "from_date": pl.Date,
    "to_date": pl.Date,
    "version_id": pl.String,
    "is_assumed": pl.Boolean,
    "basis": pl.String,
}


def service_periods(feed_versions: pl.DataFrame) -> pl.DataFrame:
    """First and last day that each feed version covers: source_id, version_id, start_, end_date.

    Without dates, or with an end before the start, a version covers nothing. Dates of feed_info
    that contradict each other are not read.
    """
    stated = pl.col("feed_end_date") < pl.col("feed_start_date")
    is_read = ~stated.fill_null(value=False)
    start = pl.coalesce(pl.when(is_read).then("feed_start_date"), "service_start_date")
    end = pl.coalesce(pl.when(is_read).then("feed_end_date"), "service_end_date")
    periods = feed_versions.select("source_id", "version_id", start_date=start, end_date=end)
    return periods.filter(pl.col("start_date") <= pl.col("end_date"))


def governing_days(
    fetched: pl.DataFrame, periods: pl.DataFrame, as_of: date, *, since: date | None = None
) -> pl.DataFrame:
    """Runs of days that one version governs (or none), by feed, as known on the night of `as_of`.

    `fetched` has the columns of `FetchedVersions`, with no night after `as_of`; `periods` are
    `service_periods`. The days go from the feed's first fetch (or `since`, if that is earlier) to
    the last day that any version covers, and at least `LOOK_AHEAD_DAYS` beyond `as_of`; each day
    of them lies in one run. Columns as in `DAYS`, sorted by feed and day.
    """
    known = (
        fetched.filter(pl.col("first_night_date") <= as_of)
        .join(periods, on=["source_id", "version_id"], how="left")
        .sort("source_id", "fetch_number")
    )
    rows: list[tuple[object, ...]] = []
    for source_id, feed in known.group_by("source_id", maintain_order=True):
        fetches = [
            _Fetch(row["version_id"], row["first_night_date"], row["start_date"], row["end_date"])
            for row in feed.iter_rows(named=True)
        ]
        rows.extend((*source_id, *span.as_row()) for span in _spans(fetches, as_of, since))
    return pl.DataFrame(rows, schema=DAYS, orient="row")


def governing_on(days: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows of `governing_days` that hold a day: one for each feed known by then."""
    return days.filter((pl.col("from_date") <= day) & (pl.col("to_date") >= day))


def with_assumed_services(
    service_dates: pl.DataFrame, assumed: Iterable[tuple[str, str]], days: Collection[date]
) -> pl.DataFrame:
    """Service dates, and besides what the `assumed` versions (source, version) run on some days.

    That is what they run on the nearest day within their dates that has the same weekday. On a day
    within them nothing is added: the version says itself what runs.
    """
    frames = [service_dates]
    for source_id, version_id in assumed:
        own = service_dates.filter(source_id=source_id, version_id=version_id)
        if own.is_empty():
            continue
        [(first, last)] = own.select(
            first=pl.col("service_date").min(), last=pl.col("service_date").max()
        ).rows()
        frames.extend(
            own.filter(
                pl.col("service_date") == _nearest_same_weekday(day, first, last)
            ).with_columns(service_date=pl.lit(day, pl.Date))
            for day in days
            if not first <= day <= last
        )
    return pl.concat(frames)


def _nearest_same_weekday(day: date, first: date, last: date) -> date:
    if day > last:
        return last - timedelta(days=(last - day).days % 7)
    return first + timedelta(days=(day - first).days % 7)


@dataclass(frozen=True)
class _Fetch:
    version_id: str
    night: date
    start: date | None
    end: date | None


@dataclass(frozen=True)
class _Span:
    """Days from `first` to `last`, as ordinals, both included."""

    first: int
    last: int
    version_id: str | None
    basis: str

    def as_row(self) -> tuple[date, date, str | None, bool, str]:
        days = date.fromordinal(self.first), date.fromordinal(self.last)
        return (*days, self.version_id, self.basis in (BEFORE, AFTER), self.basis)


def _spans(fetches: list[_Fetch], as_of: date, since: date | None) -> list[_Span]:
    """The runs of days of one feed; `fetches` in the order in which they came."""
    nights = [fetch.night.toordinal() for fetch in fetches]
    covered = _covered(fetches, nights)
    first = min([*nights, *([since.toordinal()] if since else [])])
    last = max([as_of.toordinal() + LOOK_AHEAD_DAYS, *(span.last for span in covered)])
    low = min([first, *(span.first for span in covered)])
    whole = _bridged(covered, low, last)
    return [
        _Span(max(span.first, first), span.last, span.version_id, span.basis)
        for span in whole
        if span.last >= first
    ]


def _covered(fetches: list[_Fetch], nights: list[int]) -> list[_Span]:
    """The days that some version covers, by rules 1 and 2: in order, without overlap.

    Between two days on which something begins or ends all days are alike: each such stretch is one
    place of an array, and each fetch paints the stretches that it governs over those before it.
    """
    periods = [
        (fetch.start.toordinal(), fetch.end.toordinal() + 1) if fetch.start and fetch.end else None
        for fetch in fetches
    ]
    cuts = np.unique([*nights, *(day for period in periods if period for day in period)])
    painted = np.full(len(cuts), _NO_VERSION)
    is_later = np.zeros(len(cuts), dtype=bool)
    for number, (period, night) in enumerate(zip(periods, nights, strict=True)):
        if period:
            start, end = np.searchsorted(cuts, [max(period[0], night), period[1]])
            painted[start:end] = number
    for number, (period, night) in enumerate(zip(periods, nights, strict=True)):
        if period:
            start, end = np.searchsorted(cuts, [period[0], min(period[1], night)])
            is_free = painted[start:end] == _NO_VERSION
            painted[start:end][is_free] = number
            is_later[start:end] |= is_free
    stretches = [
        _Span(first, after - 1, fetches[number].version_id, LATER if later else IN_FORCE)
        for (first, after), number, later in zip(
            pairwise(cuts.tolist()), painted.tolist(), is_later.tolist(), strict=False
        )
        if number != _NO_VERSION
    ]
    return list(_joined(stretches))


def _joined(stretches: Iterable[_Span]) -> Iterator[_Span]:
    """Stretches that follow each other and say the same, as one."""
    ordered = sorted(stretches, key=lambda span: span.first)
    offsets = np.cumsum([0, *(span.last - span.first + 1 for span in ordered)])
    marked = [(span.first - offset, span) for span, offset in zip(ordered, offsets, strict=False)]
    for _, same in groupby(marked, key=lambda pair: (pair[0], pair[1].version_id, pair[1].basis)):
        spans = [span for _, span in same]
        yield _Span(spans[0].first, spans[-1].last, spans[0].version_id, spans[0].basis)


def _bridged(covered: list[_Span], first: int, last: int) -> list[_Span]:
    """All days from `first` to `last`: the covered ones, and by rules 3 and 4 what lies between."""
    edges = [
        _Span(first - 1, first - 1, None, NONE),
        *covered,
        _Span(last + 1, last + 1, None, NONE),
    ]
    spans = [edges[0]]
    for before, after in pairwise(edges):
        spans.extend(_gap(before, after))
        spans.append(after)
    return spans[1:-1]


def _gap(before: _Span, after: _Span) -> Iterator[_Span]:
    start, end = before.last + 1, after.first - 1
    if before.version_id is not None and start <= end:
        until = min(end, start + MOST_BRIDGED_DAYS - 1)
        yield _Span(start, until, before.version_id, BEFORE)
        start = until + 1
    early = max(start, end - MOST_BRIDGED_DAYS + 1) if after.version_id is not None else end + 1
    if start < early:
        yield _Span(start, early - 1, None, NONE)
    if early <= end:
        yield _Span(early, end, after.version_id, AFTER)
