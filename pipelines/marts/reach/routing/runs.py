"""Runs: the journeys of trips on a service date D as seconds after D's start.

A trip runs once on each date of its service; a trip that frequencies.txt repeats runs at start,
start + headway, ... strictly before the end of each span, its own times being relative to its first
departure. Runs of the dates before D (past 24:00:00) and after it (in windows that pass midnight)
count, moved by the real difference between the two days' starts in the feed's time zone, which is
23, 24 or 25 hours from one day to the next.

With `exact_times` 0 only the headway is known. A *draw* gives each trip and span a phase, uniform
in whole seconds on [0, headway): its runs start so much later. Phases depend on the feed, the trip,
the span and the number of the draw alone, so that two days with one timetable have the same.

Left out: that vehicles bunch, and that neighbouring trips of one route keep apart.
"""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import blake2b

import numpy as np
import polars as pl

from pipelines.errors import ContractError
from pipelines.marts.departures import (
    DAY_SECONDS,
    EXACT,
    MAX_REPEATED_DEPARTURES,
    service_start_at,
)
from pipelines.marts.reach.routing.feeds import FEED, Feeds

# Seed of all phases; another one gives another sample of what the feeds leave open.
PHASE_SEED = b"qala-phase-1"
RUN_COLUMNS = ("trip", "service_date", "shift_seconds")
DAY_COLUMNS = {
    **dict.fromkeys(FEED, pl.String),
    "service_date": pl.Date,
    "shift_seconds": pl.Int64,
}


def trips_of(feeds: Feeds) -> pl.DataFrame:
    """One row per trip, in key order: `trip` is its position, `route` that of its route."""
    routes = feeds.routes.sort(*FEED, "route_id").with_row_index("route")
    return (
        feeds.trips.join(
            routes.select(*FEED, "route_id", "route", "route_type"),
            on=[*FEED, "route_id"],
            how="left",
        )
        .sort(*FEED, "trip_id")
        .with_row_index("trip")
    )


def service_days(
    feeds: Feeds, service_date: date, time_zone: str, until_seconds: int
) -> pl.DataFrame:
    """One row per feed version and date with runs that may matter to a service date.

    Columns source_id, version_id, service_date, shift_seconds (how much later than D it starts).
    `time_zone` is the city's, in which D begins.
    """
    latest = feeds.stop_times.select(
        pl.max_horizontal(pl.max("arrival_seconds", "departure_seconds"))
    )
    end = feeds.frequencies.select(pl.max("end_seconds")).item() or 0
    one = timedelta(days=1)
    first = service_date - ((int(latest.item() or 0) + int(end)) // DAY_SECONDS + 1) * one
    last = service_date + (until_seconds // DAY_SECONDS + 1) * one
    dates = pl.DataFrame({"service_date": pl.date_range(first, last, eager=True)})
    begin = pl.select(service_start_at(pl.lit(service_date), time_zone)).item()
    zones = feeds.feed_versions.select(*FEED, zone=pl.col("agency_timezone").fill_null(time_zone))
    days = [pl.DataFrame(schema=DAY_COLUMNS)]
    for zone in sorted(set(zones.get_column("zone"))):
        start = service_start_at(pl.col("service_date"), zone)
        shift = (start - pl.lit(begin)).dt.total_seconds()
        starts = dates.with_columns(shift_seconds=shift).drop_nulls()
        days.append(zones.filter(zone=zone).drop("zone").join(starts, how="cross"))
    return pl.concat(days)


def runs_between(
    feeds: Feeds,
    trips: pl.DataFrame,
    journeys: pl.DataFrame,
    days: pl.DataFrame,
    between: tuple[int, int],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Runs that are known, and spans whose runs are to be drawn, that may ride between two moments.

    `trips` holds trip, source_id, version_id, trip_id, service_id; `journeys` of each trip that
    calls somewhere its base_seconds (first departure), earliest_seconds, latest_seconds and
    call_count; `days` are those of `service_days`. Runs have the columns of `RUN_COLUMNS`; spans
    besides start_seconds, end_seconds, headway_seconds and phase_key. ContractError where
    frequencies repeat trips more often than any city can.
    """
    from_seconds, until_seconds = between
    frequencies = feeds.frequencies.join(
        trips.select(*FEED, "trip_id", "trip"), on=[*FEED, "trip_id"]
    )
    # Dates first: trips on all dates of a year are a hundred times those of three days.
    dated = feeds.service_dates.join(days, on=[*FEED, "service_date"])
    running = (
        trips.select("trip", *FEED, "trip_id", "service_id")
        .join(dated, on=[*FEED, "service_id"])
        .join(journeys, on="trip")
    )
    written = running.join(frequencies, on="trip", how="anti")
    written = written.filter(
        pl.col("latest_seconds") + pl.col("shift_seconds") >= from_seconds,
        pl.col("earliest_seconds") + pl.col("shift_seconds") <= until_seconds,
    )
    repeated = _repeated(running, frequencies, from_seconds, until_seconds)
    is_exact = pl.col("exact_times") == EXACT
    exact = start_runs(repeated.filter(is_exact), None)
    runs = pl.concat([written.select(RUN_COLUMNS), exact]).sort(RUN_COLUMNS)
    return runs, _with_phase_key(repeated.filter(~is_exact))


def _repeated(
    running: pl.DataFrame, frequencies: pl.DataFrame, from_seconds: int, until_seconds: int
) -> pl.DataFrame:
    spans = running.join(
        frequencies.select(
            "trip",
            *(pl.col(name).cast(pl.Int64) for name in ("start_seconds", "end_seconds")),
            pl.col("headway_secs").cast(pl.Int64).alias("headway_seconds"),
            "exact_times",
        ),
        on="trip",
    )
    moved = pl.col("shift_seconds") - pl.col("base_seconds")
    spans = spans.filter(
        pl.col("end_seconds") + moved + pl.col("latest_seconds") >= from_seconds,
        pl.col("start_seconds") + moved + pl.col("earliest_seconds") <= until_seconds,
    )
    repetitions = (pl.col("end_seconds") - pl.col("start_seconds")) // pl.col("headway_seconds") + 1
    expected = spans.select((repetitions * pl.col("call_count")).sum()).item() or 0
    if expected > MAX_REPEATED_DEPARTURES:
        raise ContractError(
            f"staging.frequencies repeats trips so often that {expected:,} departures are due in "
            f"the window (at most {MAX_REPEATED_DEPARTURES:,} are computed); its shortest headway "
            f"is {spans.select(pl.min('headway_seconds')).item()} s.",
            "Ask the feed's publisher about headway_secs, or leave the feed out.",
        )
    return spans.sort("trip", "service_date", "start_seconds")


def start_runs(spans: pl.DataFrame, draw: int | None) -> pl.DataFrame:
    """One row per run of the spans, with the columns of `RUN_COLUMNS`.

    `draw` is the number of a draw of phases; None for spans whose times are exact.
    """
    phase = pl.lit(0, pl.Int64) if draw is None else pl.lit(phases(spans, draw))
    first = pl.col("start_seconds") + phase
    starts = pl.int_ranges(first, pl.col("end_seconds"), pl.col("headway_seconds"))
    runs = spans.with_columns(starts=starts).explode("starts", empty_as_null=False)
    shift = pl.col("shift_seconds") + pl.col("starts") - pl.col("base_seconds")
    return runs.select("trip", "service_date", shift_seconds=shift)


def _with_phase_key(spans: pl.DataFrame) -> pl.DataFrame:
    names = spans.select(pl.concat_str(FEED[0], "trip_id", "start_seconds", separator="\x1f"))
    keys = [
        int.from_bytes(blake2b(name.encode(), digest_size=8, key=PHASE_SEED).digest(), "little")
        for name in names.to_series()
    ]
    return spans.with_columns(phase_key=pl.Series(keys, dtype=pl.UInt64))


def phases(spans: pl.DataFrame, draw: int) -> pl.Series:
    """Seconds by which each span's runs start later than written, in one draw."""
    key = spans.get_column("phase_key").to_numpy()
    bits = mixed(key + np.uint64(draw * 0x9E3779B97F4A7C15 % 2**64))
    # 53 bits make a fraction that a float holds exactly.
    fraction = (bits >> np.uint64(11)).astype(np.float64) / 2.0**53
    return pl.Series((fraction * spans.get_column("headway_seconds").to_numpy()).astype(np.int64))


def mixed(bits: np.typing.NDArray[np.uint64]) -> np.typing.NDArray[np.uint64]:
    """Each number's bits scattered (the finalizer of SplitMix64; Steele, Lea and Flood 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
