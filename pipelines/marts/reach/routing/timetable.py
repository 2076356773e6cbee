"""Connections: the rides between two calls that follow each other, of all runs in a time window.

A connection departs from one place and arrives at the next one of the same run. Times are whole
seconds after D's start (noon minus 12 h in the city's time zone). A time that goes back on the one
before it is read as that one, so that no ride ends before it begins; calls without times are passed
through. Nobody boards where `pickup_type` is 1 or alights where `drop_off_type` is 1; service to be
ordered (2, 3) is taken for given. For travellers without steps, places and trips that they can't
use are passed through, or left out.

Left out: connections that begin before the window or end after it, since nobody is on board then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import blake2b, sha256

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.reach.assumptions import DEPARTURE_STEP_SECONDS, LONGEST_MINUTES
from pipelines.marts.reach.routing.feeds import (
    ANY_TRAVEL,
    FEED,
    Feeds,
    Travel,
    is_allowed,
    places_of,
)
from pipelines.marts.reach.routing.runs import (
    mixed,
    runs_between,
    service_days,
    start_runs,
    trips_of,
)

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOT_AVAILABLE = 1  # GTFS pickup_type and drop_off_type


@dataclass(frozen=True)
class Departures:
    """The departures of a window: seconds after the service date's start, one each step."""

    start_seconds: int
    end_seconds: int  # not included
    step_seconds: int = DEPARTURE_STEP_SECONDS

    @property
    def count(self) -> int:
        """How many departures there are."""
        return -((self.start_seconds - self.end_seconds) // self.step_seconds)

    @property
    def until_seconds(self) -> int:
        """No arrival after this counts for any of them."""
        last = self.start_seconds + (self.count - 1) * self.step_seconds
        return last + LONGEST_MINUTES * 60


@dataclass(frozen=True)
class Connections:
    """Arrays with one element per connection, ordered by run and along it."""

    run: Ints
    trip: Ints
    from_place: Ints
    to_place: Ints
    departure: Ints
    arrival: Ints
    can_board: Flags
    can_alight: Flags
    service_day: Ints  # of the run; runs of one date have the same
    # One per run: when it leaves its first call and reaches its last, in the window or not.
    run_starts: Ints
    run_ends: Ints


@dataclass(frozen=True)
class Timetable:
    """What rides between two moments of a service date, and where it calls.

    `places` and `trips` are the frames of `places_of` and `trips_of`; `spans` are those whose runs
    are to be drawn (none: there is but one draw). `calls` is in the order of trips.
    """

    service_date: date
    departures: Departures
    places: pl.DataFrame
    trips: pl.DataFrame
    calls: pl.DataFrame
    runs: pl.DataFrame
    spans: pl.DataFrame
    travel: Travel

    @property
    def is_drawn(self) -> bool:
        """Whether some runs are known by their headway only."""
        return self.spans.height > 0

    def connections(self, draw: int = 0) -> Connections:
        """All connections in the window; `draw` is the number of the draw of phases."""
        runs = pl.concat([self.runs, start_runs(self.spans, draw)]) if self.is_drawn else self.runs
        return _connect(self.calls, runs, self.departures)

    def identity(self) -> str:
        """SHA-256 of what rides in the window: equal for two dates with one timetable.

        It stands on stops, times relative to the service date, boarding and alighting, routes and
        their types, accessibility of trips, headways; not on trip_id or service_id (but for
        trips that transfers.txt names), nor on where stops lie.
        """
        tokens = _trip_tokens(self.calls, self.places, self.trips)
        columns = ("start_seconds", "end_seconds", "headway_seconds", "shift_seconds")
        runs = tokens[self.runs["trip"].to_numpy()] ^ _scattered(self.runs, ("shift_seconds",))
        drawn = tokens[self.spans["trip"].to_numpy()] ^ _scattered(self.spans, columns)
        digest = sha256(np.sort(mixed(runs)).astype("<u8").tobytes())
        digest.update(b"|" + np.sort(mixed(drawn)).astype("<u8").tobytes())
        return digest.hexdigest()


def read_timetable(
    feeds: Feeds,
    service_date: date,
    time_zone: str,
    departures: Departures,
    travel: Travel = ANY_TRAVEL,
) -> Timetable:
    """The timetable of a service date that serves these departures, in the city's time zone.

    ContractError where frequencies repeat trips without end.
    """
    places = places_of(feeds)
    trips = trips_of(feeds)
    usable = trips.filter(is_allowed("wheelchair_accessible", travel.step_free))
    if travel.route_types is not None:
        usable = usable.filter(pl.col("route_type").is_in(sorted(travel.route_types)))
    days = service_days(feeds, service_date, time_zone, departures.until_seconds)
    active = feeds.service_dates.join(days, on=[*FEED, "service_date"], how="semi")
    usable = usable.join(active, on=[*FEED, "service_id"], how="semi", maintain_order="left")
    calls = _calls(feeds, usable, places, travel)
    between = departures.start_seconds, departures.until_seconds
    runs, spans = runs_between(feeds, usable, _journeys(calls), days, between)
    named = feeds.transfers.select(*FEED, trip_id=pl.concat_list("from_trip_id", "to_trip_id"))
    named = named.explode("trip_id", empty_as_null=False).drop_nulls("trip_id").unique()
    named = named.with_columns(is_named=True)
    trips = trips.join(named, on=[*FEED, "trip_id"], how="left", maintain_order="left")
    trips = trips.with_columns(pl.col("is_named").fill_null(value=False))
    return Timetable(service_date, departures, places, trips, calls, runs, spans, travel)


def _calls(feeds: Feeds, trips: pl.DataFrame, places: pl.DataFrame, travel: Travel) -> pl.DataFrame:
    """One row per call with a time, in the order of trips and along them."""
    is_open = is_allowed("wheelchair_boarding", travel.step_free)
    open_places = places.select(*FEED, "stop_id", "place", is_open=is_open)
    arrival, departure = pl.col("arrival_seconds"), pl.col("departure_seconds")
    # Feed by feed, so that the joins go by one id.
    named = feeds.feed_versions.select(FEED).rows() or [("", "")]
    calls = pl.concat(
        _of_feed(feeds.stop_times, feed)
        .filter(arrival.is_not_null() | departure.is_not_null())
        .join(_of_feed(trips, feed).select("trip_id", "trip"), on="trip_id")
        .join(_of_feed(open_places, feed), on="stop_id")
        .select(
            "trip",
            "place",
            "stop_sequence",
            arrival=pl.coalesce(arrival, departure),
            departure=pl.coalesce(departure, arrival),
            can_board=(pl.col("pickup_type") != NOT_AVAILABLE) & pl.col("is_open"),
            can_alight=(pl.col("drop_off_type") != NOT_AVAILABLE) & pl.col("is_open"),
        )
        for feed in named
    )
    return _forward(calls.sort("trip", "stop_sequence").collect())


def _of_feed(rows: pl.DataFrame, feed: tuple[str, ...]) -> pl.LazyFrame:
    return rows.lazy().filter(*(pl.col(key) == name for key, name in zip(FEED, feed, strict=True)))


def _forward(calls: pl.DataFrame) -> pl.DataFrame:
    """Calls whose times never go back along a trip."""
    trip = calls["trip"].to_numpy().astype(np.int64)
    times = calls.select("arrival", "departure").to_numpy().astype(np.int64)
    step = 1 + times.max(initial=0)
    # Each trip on a level of its own, above the one before it.
    latest = np.maximum.accumulate((times + (trip * step)[:, None]).ravel()).reshape(-1, 2)
    forward = pl.DataFrame(latest - (trip * step)[:, None], ["arrival", "departure"])
    return calls.with_columns(forward)


def _journeys(calls: pl.DataFrame) -> pl.DataFrame:
    """One row per trip: when it leaves and ends as written, and its number of calls."""
    return calls.group_by("trip", maintain_order=True).agg(
        base_seconds=pl.first("departure"),
        earliest_seconds=pl.first("departure"),
        latest_seconds=pl.last("arrival"),
        call_count=pl.len(),
    )


def _connect(calls: pl.DataFrame, runs: pl.DataFrame, departures: Departures) -> Connections:
    trip_of_call = calls["trip"].to_numpy()
    trip = runs["trip"].to_numpy()
    first = np.searchsorted(trip_of_call, trip, side="left")
    final = np.searchsorted(trip_of_call, trip, side="right") - 1
    count = final - first
    run = np.repeat(np.arange(len(trip), dtype=np.int32), count)
    ends = np.cumsum(count)
    at = np.arange(len(run)) + np.repeat(first - (ends - count), count)
    departs, arrives = calls["departure"].to_numpy(), calls["arrival"].to_numpy()
    shift = runs["shift_seconds"].to_numpy()
    departure = departs[at] + shift[run]
    arrival = arrives[at + 1] + shift[run]
    inside = (departure >= departures.start_seconds) & (arrival <= departures.until_seconds)
    at, run = at[inside], run[inside]
    place = calls["place"].to_numpy()
    service_day = runs["service_date"].to_physical().to_numpy()
    return Connections(
        run=run,
        trip=trip[run].astype(np.int32),
        from_place=place[at].astype(np.int32),
        to_place=place[at + 1].astype(np.int32),
        departure=departure[inside].astype(np.int32),
        arrival=arrival[inside].astype(np.int32),
        can_board=calls["can_board"].to_numpy()[at],
        can_alight=calls["can_alight"].to_numpy()[at + 1],
        service_day=service_day[run].astype(np.int32),
        run_starts=(departs[first] + shift).astype(np.int32),
        run_ends=(arrives[final] + shift).astype(np.int32),
    )


def _text_tokens(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """Sixty-four bits that stand for each text."""
    tokens = {
        text: int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
        for text in texts.unique()
    }
    return np.array([tokens[text] for text in texts], dtype=np.uint64)


def _scattered(rows: pl.DataFrame, columns: tuple[str, ...]) -> npt.NDArray[np.uint64]:
    bits = np.zeros(rows.height, np.uint64)
    for column in columns:
        bits = mixed(bits + rows[column].to_numpy().astype(np.int64).view(np.uint64))
    return bits


def _trip_tokens(
    calls: pl.DataFrame, places: pl.DataFrame, trips: pl.DataFrame
) -> npt.NDArray[np.uint64]:
    """Per trip, bits that stand for its route, its calls and their times."""
    named = pl.when("is_named").then("trip_id").otherwise(pl.lit(""))
    about = trips.select(
        pl.concat_str(
            FEED[0],
            "route_id",
            pl.col("route_type").cast(pl.String),
            pl.col("wheelchair_accessible").fill_null(0).cast(pl.String),
            named,
            separator="\x1f",
        )
    )
    stops = places.select(pl.concat_str(FEED[0], "stop_id", separator="\x1f"))
    at_stop = _text_tokens(stops.to_series())[calls["place"].to_numpy()]
    told = ("arrival", "departure", "can_board", "can_alight")
    tokens = mixed(at_stop ^ _scattered(calls.with_columns(pl.col(told[2:]).cast(pl.Int64)), told))
    trip = calls["trip"].to_numpy()
    summed = np.zeros(trips.height, np.uint64)
    np.add.at(summed, trip, tokens)
    return mixed(summed ^ _text_tokens(about.to_series()))
