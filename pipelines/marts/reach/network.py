"""The network that a mode set travels on in the departure window: rides, stops, rules.

Two nights have one network where the same runs ride at the same times after the day's start,
between stops at the same places, by the same transfers and pathways: `Network.identity` tells.
Trips that don't ride in the window, and stops where nothing calls in it, are no part of it.

Left out: people and streets, which all mode sets share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import polars as pl

from pipelines.marts.reach.mode_sets import ModeSet
from pipelines.marts.reach.routing.feeds import FEED, Feeds
from pipelines.marts.reach.routing.runs import start_runs
from pipelines.marts.reach.routing.stations import Doors
from pipelines.marts.reach.routing.timetable import Departures, Timetable, read_timetable
from pipelines.night import Night

SOURCE, VERSION = FEED


@dataclass(frozen=True)
class Network:
    """A mode set's timetable, the calls of what rides, the doors of their stops, and transfers."""

    timetable: Timetable
    calls: pl.DataFrame
    doors: Doors
    transfers: pl.DataFrame

    @classmethod
    def of(cls, feeds: Feeds, night: Night, mode_set: ModeSet) -> Network:
        """The network of a mode set; `feeds` are those of `riding`, or whole ones.

        ContractError where frequencies repeat trips without end.
        """
        departures = departures_of(night)
        day, zone = night.service_date, night.time_zone
        timetable = read_timetable(feeds, day, zone, departures, mode_set.travel)
        calls = timetable.calls.join(_riding(timetable), on="trip", how="semi")
        places = calls.select("place").unique()
        every = Doors.of(feeds, mode_set.travel.step_free)
        ways = every.ways.join(places, left_on="from_place", right_on="place", how="semi")
        doors = Doors(
            every.doors.join(places, on="place", how="semi", maintain_order="left"),
            ways.join(places, left_on="to_place", right_on="place", how="semi"),
        )
        return cls(timetable, calls, doors, _rules(timetable.places, places, feeds.transfers))

    @property
    def run_count(self) -> int:
        """Runs that may ride in the window; of those to be drawn as many as the first draw has."""
        drawn = start_runs(self.timetable.spans, 0).height if self.timetable.is_drawn else 0
        return self.timetable.runs.height + drawn

    @property
    def stop_count(self) -> int:
        """Stops at which they call."""
        return self.calls.get_column("place").n_unique()

    @property
    def is_ridden(self) -> bool:
        """Whether anybody can board somewhere, and alight."""
        return bool(self.calls["can_board"].any() and self.calls["can_alight"].any())

    def identity(self) -> str:
        """SHA-256 of all that travel times depend on here, but for the date."""
        window = self.timetable.departures
        named = self.timetable.places.select("place", SOURCE, "stop_id")
        where = self.timetable.places.join(self.calls, on="place", how="semi").join(
            named.select(station="place", station_id="stop_id"), on="station"
        )
        begins, ends = (named.select(pl.all().name.prefix(end)) for end in ("from_", "to_"))
        ways = self.doors.ways.join(begins, on="from_place").join(ends, on="to_place")
        parts = (
            where.select(SOURCE, "stop_id", "station_id", "latitude", "longitude"),
            self.doors.doors.join(named, on="place").drop("place"),
            ways.drop("from_place", "to_place"),
            self.transfers.drop(VERSION),
        )
        return digest_of(
            repr((window.start_seconds, window.end_seconds, window.step_seconds)),
            self.timetable.identity(),
            *map(rows_text, parts),
        )


def departures_of(night: Night) -> Departures:
    """The departures of the night's window."""
    return Departures(night.window.start_seconds, night.window.end_seconds)


def riding(feeds: Feeds, night: Night) -> Feeds:
    """The feeds with no trips but those that ride in the night's window, for several mode sets."""
    timetable = read_timetable(feeds, night.service_date, night.time_zone, departures_of(night))
    rides = timetable.trips.join(_riding(timetable), on="trip", how="semi")
    return _with_trips(feeds, feeds.trips.join(rides, on=[*FEED, "trip_id"], how="semi"))


def rows_text(rows: pl.DataFrame) -> str:
    """Rows as text that is the same in whatever order rows and columns came."""
    text = rows.select(sorted(rows.columns)).with_columns(pl.col(pl.Binary).bin.encode("hex"))
    return text.sort(pl.all()).write_csv(None)


def digest_of(*texts: str) -> str:
    """SHA-256 of texts, each apart from the next."""
    digest = sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()


def _riding(timetable: Timetable) -> pl.DataFrame:
    return pl.concat([timetable.runs.select("trip"), timetable.spans.select("trip")]).unique()


def _with_trips(feeds: Feeds, trips: pl.DataFrame) -> Feeds:
    """Feeds with these trips alone; a call of another feed's trip of that name does no harm."""
    return replace(
        feeds,
        trips=trips,
        stop_times=feeds.stop_times.join(trips, on="trip_id", how="semi"),
        frequencies=feeds.frequencies.join(trips, on=[*FEED, "trip_id"], how="semi"),
    )


def _rules(places: pl.DataFrame, called: pl.DataFrame, transfers: pl.DataFrame) -> pl.DataFrame:
    """The rules of transfers.txt that may hold where something calls: at stops, or stations."""
    here = places.join(called, on="place", how="semi")
    above = places.join(here.select(place="station"), on="place", how="semi")
    stops = pl.concat([here, above]).select(*FEED, "stop_id").unique()
    for end in ("from_stop_id", "to_stop_id"):
        named = stops.rename({"stop_id": end}).with_columns(is_here=True)
        transfers = transfers.join(named, on=[*FEED, end], how="left", maintain_order="left")
        transfers = transfers.filter(pl.col(end).is_null() | pl.col("is_here")).drop("is_here")
    return transfers
