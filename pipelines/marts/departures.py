"""Departures as instants: GTFS times against the clock, and those that fall on a calendar day.

A GTFS time counts from *noon minus 12 h* of its service date in the agency's time zone, which is
midnight except on days on which the clock is changed. A calendar day goes from its midnight to the
next one, for 23, 24 or 25 hours; where the clock is put forward at midnight, from that moment. It
has departures of its own service date, of those before (times past 24:00:00) and, where noon minus
12 h comes before midnight, of the next. Each departure falls on one calendar day.

A trip that frequencies.txt repeats runs once for each departure from its first stop, at start,
start + headway, ... strictly before the end, its own times being relative to its first departure.
With `exact_times` 1 these are its times; with 0 the headway is kept only roughly: the number of
departures holds, their minutes are those of a vehicle that leaves at the start of the span, and
`is_exact` is false.

Left out: calls where nobody can board (`pickup_type` 1, and the last of a trip), calls without a
time, and service dates without a noon (Samoa had no 2011-12-30). Services of the date before are
those of the feed version at hand, also where another one governed that date.
"""

from __future__ import annotations

from datetime import date, time, timedelta

import polars as pl

from pipelines.errors import ContractError

DAY_SECONDS = 86_400
NO_PICKUP = 1  # GTFS pickup_type
EXACT = 1  # GTFS exact_times
# A city of 20,000 trips a day has a million departures. Repetitions are written out, so a headway
# of a second or so would fill the memory; above this the feed is wrong.
MAX_REPEATED_DEPARTURES = 10_000_000


def service_start_at(service_date: pl.Expr, time_zone: str) -> pl.Expr:
    """UTC instant of noon minus 12 h on a service date; null where the zone has no such noon."""
    return _clock_at(service_date.dt.combine(time(12)), time_zone) - timedelta(hours=12)


def instants(service_date: pl.Expr, seconds: pl.Expr, time_zone: str) -> pl.Expr:
    """UTC instants of GTFS times, `seconds` after the service day's start."""
    return service_start_at(service_date, time_zone) + pl.duration(seconds=seconds)


def midnight_at(local_date: pl.Expr, time_zone: str) -> pl.Expr:
    """UTC instant at which a calendar day begins.

    Where the clock shows midnight twice it is the first, where it is put forward over midnight
    the moment at which that happens.
    """
    midnight = local_date.dt.combine(time(0))
    hour = timedelta(hours=1)
    return pl.coalesce(_clock_at(midnight, time_zone), _clock_at(midnight - hour, time_zone) + hour)


def _clock_at(local: pl.Expr, time_zone: str) -> pl.Expr:
    zoned = local.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def is_time_zone(name: str | None) -> bool:
    """Whether a name is one of the time zone database's."""
    if not name:
        return False
    try:
        pl.Series([], dtype=pl.Datetime).dt.replace_time_zone(name)
    except pl.exceptions.ComputeError:
        return False
    return True


def departures_of_day(
    day: date,
    time_zone: str,
    *,
    service_dates: pl.DataFrame,
    trips: pl.DataFrame,
    stop_times: pl.DataFrame,
    frequencies: pl.DataFrame,
) -> pl.DataFrame:
    """One row per departure on the calendar day that riders can board, of one feed version.

    Columns trip_id, stop_id, stop_sequence, service_date, departure_at (UTC), is_exact,
    is_interpolated. `time_zone` is the agency's. ContractError where frequencies repeat trips
    more often than any city can.
    """
    journeys = _journeys(stop_times)
    windows = _windows(day, time_zone, _longest_seconds(journeys, frequencies))
    dated = service_dates.select("service_id", "service_date").join(windows, on="service_date")
    running = (
        trips.select("trip_id", "service_id")
        .join(dated, on="service_id")
        .join(journeys, on="trip_id")
    )
    runs = pl.concat([_written(running, frequencies), _repeated(day, running, frequencies)])
    seconds = pl.col("departure_seconds") + pl.col("shift_seconds")
    return (
        stop_times.filter(pl.col("pickup_type") != NO_PICKUP)
        .select("trip_id", "stop_id", "stop_sequence", "departure_seconds", "is_interpolated")
        .join(runs, on="trip_id")
        .filter(
            pl.col("stop_sequence") < pl.col("last_sequence"),
            seconds.is_between("from_seconds", "until_seconds", closed="left"),
        )
        .select(
            "trip_id",
            "stop_id",
            "stop_sequence",
            "service_date",
            departure_at=pl.col("start_at") + pl.duration(seconds=seconds),
            is_exact="is_exact",
            is_interpolated="is_interpolated",
        )
    )


def _journeys(stop_times: pl.DataFrame) -> pl.DataFrame:
    """One row per trip: its calls, its last call, and when it leaves its stops as written."""
    departure, sequence = pl.col("departure_seconds"), pl.col("stop_sequence")
    return stop_times.group_by("trip_id").agg(
        call_count=pl.len(),
        last_sequence=sequence.max(),
        base_seconds=departure.get(sequence.arg_min()).cast(pl.Int64),
        earliest_seconds=departure.min(),
        latest_seconds=departure.max(),
    )


def _longest_seconds(journeys: pl.DataFrame, frequencies: pl.DataFrame) -> int:
    """No departure comes later after its service day's start than this."""
    latest = journeys.select(pl.max("latest_seconds")).item() or 0
    end = frequencies.select(pl.max("end_seconds")).item() or 0
    return int(latest) + int(end)


def _windows(day: date, time_zone: str, longest_seconds: int) -> pl.DataFrame:
    """One row per service date with departures on the day: its start, and which seconds count."""
    one = timedelta(days=1)
    first = day - (longest_seconds // DAY_SECONDS + 1) * one
    dates = pl.DataFrame({"service_date": pl.date_range(first, day + one, eager=True)})
    starts = dates.with_columns(start_at=service_start_at(pl.col("service_date"), time_zone))
    begins, ends = (midnight_at(pl.lit(on), time_zone) for on in (day, day + one))
    return starts.with_columns(
        from_seconds=(begins - pl.col("start_at")).dt.total_seconds(),
        until_seconds=(ends - pl.col("start_at")).dt.total_seconds(),
    ).drop_nulls()


RUN_COLUMNS = (
    *("trip_id", "service_date", "start_at", "from_seconds", "until_seconds"),
    *("last_sequence", "shift_seconds", "is_exact"),
)


def _written(running: pl.DataFrame, frequencies: pl.DataFrame) -> pl.DataFrame:
    """Trips that run as they are written, and leave some stop in their window."""
    shifted = running.with_columns(shift_seconds=pl.lit(0, pl.Int64), is_exact=pl.lit(value=True))
    once = shifted.join(frequencies, on="trip_id", how="anti")
    return once.filter(_leaves_in_window()).select(RUN_COLUMNS)


def _repeated(day: date, running: pl.DataFrame, frequencies: pl.DataFrame) -> pl.DataFrame:
    """Each repetition of a trip that frequencies repeat, where it leaves some stop in its window.

    `shift_seconds` is what its departures have to be moved by.
    """
    spans = running.join(
        frequencies.select(
            "trip_id",
            *(pl.col(name).cast(pl.Int64) for name in ("start_seconds", "end_seconds")),
            headway_seconds=pl.col("headway_secs").cast(pl.Int64),
            is_exact=pl.col("exact_times") == EXACT,
        ),
        on="trip_id",
    )
    spans = spans.filter(
        pl.col("start_seconds") + pl.col("earliest_seconds") - pl.col("base_seconds")
        < pl.col("until_seconds"),
        pl.col("end_seconds") + pl.col("latest_seconds") - pl.col("base_seconds")
        > pl.col("from_seconds"),
    )
    repetitions = (pl.col("end_seconds") - pl.col("start_seconds")) // pl.col("headway_seconds")
    expected = spans.select(((repetitions + 1) * pl.col("call_count")).sum()).item()
    if expected > MAX_REPEATED_DEPARTURES:
        raise ContractError(
            f"staging.frequencies repeats trips so often that {expected:,} departures are due on "
            f"{day} (at most {MAX_REPEATED_DEPARTURES:,} are computed); its shortest headway is "
            f"{spans.select(pl.min('headway_seconds')).item()} s.",
            "Ask the feed's publisher about headway_secs, or leave the feed out.",
        )
    leaves = pl.int_ranges("start_seconds", "end_seconds", pl.col("headway_seconds"))
    runs = spans.with_columns(shift_seconds=leaves).explode("shift_seconds")
    runs = runs.with_columns(pl.col("shift_seconds") - pl.col("base_seconds"))
    return runs.filter(_leaves_in_window()).select(RUN_COLUMNS)


def _leaves_in_window() -> pl.Expr:
    earliest = pl.col("earliest_seconds") + pl.col("shift_seconds")
    latest = pl.col("latest_seconds") + pl.col("shift_seconds")
    return (earliest < pl.col("until_seconds")) & (latest >= pl.col("from_seconds"))
