"""Matching: one plate read at the cordon, and read there next at another of its stations.

The readings of a plate are put in order of time and repeats are collapsed. A *match* is a reading
at the cordon and the plate's next one there, at a different station; "in" and then "out" is a trip
through the city (or a visit to it: only its time tells, see `limits`). It is *read on the ring* by
each ring station that read the same plate in between.

One local day of first readings is matched at a time, with the readings of the next day, since no
trip takes longer than the straight distance at a speed at which nobody drives, and with those of
the last minutes of the day before, since a vehicle read again after midnight entered before it.
So days can be matched one beside the other, and a day is matched again only when readings of it,
or of a day beside it, come late.

Keys of the hashes change with the local month. What was read on the first day of a month has its
hash under the month before as well (`overlap_hash`), and a trip over the change is followed by it.

Left out: which lane, readings without a plate or, at the cordon, without a direction.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

# Readers fire again within seconds, and in a jam within minutes; nobody enters twice so soon.
REPEAT_SECONDS = 300
# Straight-line speed below which a vehicle has stopped for long: about that of a pedestrian.
SLOWEST_KMH = 6.0
LONGEST_SECONDS = 24 * 3600
EARTH_RADIUS_KM = 6371.0
PAIR = ("entry_station_id", "exit_station_id")


def match_day(
    passages: pl.DataFrame, stations: pl.DataFrame, time_zone: str, day: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The matches whose first reading is on a local day, and which ring stations read each.

    `passages` as in `staging.passages`, of at least the day before to the day after; `stations` are
    those of cordon and ring, each once: station_id, role, latitude, longitude. The first frame has
    a row per match: match_id, entry_station_id, exit_station_id, directions ("in out", ...),
    vehicle_class (of the first reading), entry_at, exit_at, seconds; the second match_id,
    station_id, each pair once.
    """
    begin, end, last = (_midnight(day + timedelta(days=days), time_zone) for days in range(3))
    before = begin if day.day == 1 else begin - timedelta(seconds=REPEAT_SECONDS)
    near = passages.lazy().filter(pl.col("passed_at").is_between(before, last, closed="left"))
    is_new_month = (day + timedelta(days=1)).day == 1
    readings = _ordered_readings(near, stations, end, is_new_month=is_new_month)
    is_of_day = pl.col("entry_at").is_between(begin, end, closed="left")
    matches = _within_a_walk(_matches(readings, stations).filter(is_of_day), stations)
    return matches, _ring_readings(readings, matches, stations)


def straight_km(stations: pl.DataFrame) -> pl.DataFrame:
    """Distance of each ordered pair of stations on a plane at their mean latitude.

    Columns: entry_station_id, exit_station_id, straight_km.
    """
    ends = [
        stations.select(
            pl.col("station_id").alias(f"{end}_station_id"),
            pl.col("latitude").radians().alias(f"{end}_latitude"),
            pl.col("longitude").radians().alias(f"{end}_longitude"),
        )
        for end in ("entry", "exit")
    ]
    mean_latitude = (pl.col("entry_latitude") + pl.col("exit_latitude")) / 2
    north = pl.col("exit_latitude") - pl.col("entry_latitude")
    east = (pl.col("exit_longitude") - pl.col("entry_longitude")) * mean_latitude.cos()
    distance = EARTH_RADIUS_KM * (north**2 + east**2).sqrt()
    return ends[0].join(ends[1], how="cross").select(*PAIR, straight_km=distance)


def _midnight(day: date, time_zone: str) -> datetime:
    """The instant (UTC) at which the local day begins."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def _ordered_readings(
    passages: pl.LazyFrame, stations: pl.DataFrame, end: datetime, *, is_new_month: bool
) -> pl.DataFrame:
    """Readings of the plates that cordon stations read before `end`, by plate and time.

    The first reading of a row of repeats stays. `plate` is a number of 64 bits for the hash under
    the day's key, `station` the row of `stations`.
    """
    at, hashed = pl.col("passed_at"), pl.col("plate_hash")
    if is_new_month:
        hashed = pl.when(at < end).then(hashed).otherwise("overlap_hash")
    roles = stations.lazy().select(
        "station_id",
        station=pl.int_range(pl.len(), dtype=pl.UInt16),
        is_cordon=pl.col("role") == "cordon",
    )
    near = (
        passages.select(
            "station_id",
            "passed_at",
            "vehicle_class",
            is_in=pl.col("direction") == "in",
            plate=pl.when(hashed.is_not_null()).then(hashed.hash()),
        )
        .drop_nulls("plate")
        .join(roles, on="station_id")
        .drop("station_id")
        .collect()
    )
    entered = near.filter(pl.col("is_cordon") & (at < end)).select("plate").unique()
    ordered = near.join(entered, on="plate", how="semi").sort(
        "plate", "passed_at", "station", "is_in", "vehicle_class"
    )
    is_repeat = (
        (pl.col("plate") == pl.col("plate").shift())
        & (pl.col("station") == pl.col("station").shift())
        & (at - at.shift() <= pl.duration(seconds=REPEAT_SECONDS))
    )
    return ordered.filter(~is_repeat.fill_null(False))


def _matches(readings: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Cordon readings whose plate is read next at another cordon station.

    `match_id` is the number of the first reading among all cordon readings in order.
    """
    following = {
        name: pl.col(name).shift(-1) for name in ("plate", "station", "is_in", "passed_at")
    }
    is_match = (
        (following["plate"] == pl.col("plate"))
        & (following["station"] != pl.col("station"))
        & pl.col("is_in").is_not_null()
        & following["is_in"].is_not_null()
    )
    cordon = readings.filter("is_cordon").select(
        "station",
        "vehicle_class",
        "is_in",
        is_match=is_match,
        entry_at="passed_at",
        exit_at=following["passed_at"],
        exit_station=following["station"],
        exit_is_in=following["is_in"],
    )
    station_ids = pl.lit(stations.get_column("station_id"))
    return (
        cordon.with_row_index("match_id")
        .filter("is_match")
        .select(
            pl.col("match_id").cast(pl.Int64),
            "vehicle_class",
            "entry_at",
            "exit_at",
            entry_station_id=station_ids.gather("station"),
            exit_station_id=station_ids.gather("exit_station"),
            seconds=(pl.col("exit_at") - pl.col("entry_at")).dt.total_seconds(),
            directions=pl.format("{} {}", _word("is_in"), _word("exit_is_in")),
        )
    )


def _word(is_in: str) -> pl.Expr:
    return pl.when(is_in).then(pl.lit("in")).otherwise(pl.lit("out"))


def _ring_readings(
    readings: pl.DataFrame, matches: pl.DataFrame, stations: pl.DataFrame
) -> pl.DataFrame:
    """Ring stations that read the vehicle between the two readings of a match."""
    # Between the two no other cordon reading lies, so a ring reading belongs to the cordon reading
    # before it.
    before = pl.col("is_cordon").cum_sum().cast(pl.Int64) - 1
    ring = readings.select("station", match_id=before, is_ring=~pl.col("is_cordon"))
    read = (
        ring.filter("is_ring")
        .join(matches.select("match_id"), on="match_id", how="semi")
        .select("match_id", "station")
        .unique()
    )
    station_ids = pl.lit(stations.get_column("station_id"))
    return read.select("match_id", station_id=station_ids.gather("station"))


def _within_a_walk(matches: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Matches that took no longer than the straight way at a pedestrian's speed."""
    longest = (pl.col("straight_km") / SLOWEST_KMH * 3600).clip(upper_bound=LONGEST_SECONDS)
    return (
        matches.join(straight_km(stations), on=PAIR)
        .filter(pl.col("seconds") <= longest)
        .drop("straight_km")
    )
