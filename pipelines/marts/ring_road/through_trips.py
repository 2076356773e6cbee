"""Through trips: one plate read into the cordon at one station and out of it at another.

The readings of a plate are put in order of time, repeats are collapsed, and a trip is a reading
"in" whose next cordon reading is "out" at a different station, within the limit of that ordered
pair of stations. It is *read on the ring* when a ring station read the same plate in between.

**Limit of a pair.** A vehicle that stayed in the city to load isn't through traffic, and only its
time tells it. The ring is often twice as fast as the city's streets, so a limit taken from the
fastest trips would cut off trips through the city and raise the ring's share. Hence the free-flow
time (a low percentile) is taken of each way, the trips read on the ring and the others, and the
limit is the slower of the two times a factor; never longer than the straight distance takes at a
speed at which nobody drives through. Some short visits stay within the limit and some long trips
don't: the share moves by a few points with the factor, which no interval here tells.

**Ends of a block of days.** Files come by local day, and not every day is delivered. An entry is
counted only if the limit of its pair ends within the days delivered without a gap; else slow trips
would be lost at each end. A trip belongs to the local day on which it entered.

Left out: which lane, vehicles other than heavy ones, readings without a plate or, at the cordon,
without a direction, and trips whose plate changed its key on the way (keys rotate monthly).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

HEAVY = "heavy"

# Readers fire again within seconds, and in a jam within minutes; nobody enters twice so soon.
REPEAT_SECONDS = 300
# The lower quartile, not less: on a way past one ring station, up to a quarter of the trips without
# a reading there took the ring unread, and are fast.
FREE_FLOW_QUANTILE = 0.25
# Peak over free-flow times reach 1.5 to 2 in congested large cities (travel time index): room for
# the worst hour and a short rest, but not for unloading.
LIMIT_FACTOR = 1.75
# Fewer trips than these tell no free-flow time of a way.
FEWEST_TRIPS_OF_A_WAY = 20
# Straight-line speed below which a vehicle has stopped for long: about that of a pedestrian.
SLOWEST_KMH = 6.0
EARTH_RADIUS_KM = 6371.0
BAND_HOURS = 6


@dataclass(frozen=True)
class ThroughTrips:
    """Trips within their limits, and which ring stations read each.

    `trips`: trip_id, entry_station_id, exit_station_id, entry_band, exit_band (local hour // 6),
    entry_date (local), is_read_on_ring. `ring_readings`: trip_id, station_id, each pair once.
    """

    trips: pl.DataFrame
    ring_readings: pl.DataFrame


def match_through_trips(
    passages: pl.DataFrame, stations: pl.DataFrame, time_zone: str, last_date: date
) -> ThroughTrips:
    """Match the readings of heavy vehicles up to the local day `last_date`.

    `passages` as in `staging.passages`; `stations` are those of the cordon and the ring, each once:
    station_id, role, latitude, longitude.
    """
    readings = _ordered_readings(passages, stations, _day_end_at(last_date, time_zone))
    candidates = _candidates(readings, stations)
    ring = _ring_readings(readings, candidates, stations)
    is_read = pl.col("trip_id").is_in(ring.get_column("trip_id").unique().implode())
    candidates = candidates.with_columns(is_read_on_ring=is_read)
    limits = _limits(candidates, stations)
    within = candidates.join(limits, on=["entry_station_id", "exit_station_id"]).filter(
        pl.col("seconds") <= pl.col("limit_seconds")
    )
    delivered = delivered_dates(passages, time_zone, last_date)
    limit_ends_at = pl.col("entry_at") + pl.duration(seconds="limit_seconds")
    trips = (
        _with_block_end(within, delivered, time_zone)
        .filter(limit_ends_at <= pl.col("block_end_at"))
        .select(
            "trip_id",
            "entry_station_id",
            "exit_station_id",
            _band("entry_at", time_zone).alias("entry_band"),
            _band("exit_at", time_zone).alias("exit_band"),
            "entry_date",
            "is_read_on_ring",
        )
    )
    return ThroughTrips(trips, ring.join(trips.select("trip_id"), on="trip_id", how="semi"))


def delivered_dates(passages: pl.DataFrame, time_zone: str, last_date: date) -> pl.Series:
    """Local days up to `last_date` on which any station read anything, in order."""
    # Days begin on a quarter of an hour in every time zone, and there are few of those.
    quarters = passages.select(entry_at=pl.col("passed_at").dt.truncate("15m").unique())
    days = quarters.select(_local_date(time_zone).unique()).to_series().sort()
    return days.filter(days <= last_date)


def _day_end_at(day: date, time_zone: str) -> pl.Expr:
    """The instant at which the local day ends."""
    midnight = pl.lit(day + timedelta(days=1)).cast(pl.Datetime("ms"))
    local = midnight.dt.replace_time_zone(time_zone, ambiguous="earliest")
    return local.dt.convert_time_zone("UTC")


def _ordered_readings(
    passages: pl.DataFrame, stations: pl.DataFrame, end_at: pl.Expr
) -> pl.DataFrame:
    """Heavy vehicles' readings at cordon and ring by plate and time, repeats collapsed.

    The first reading of a row of repeats stays. `plate` is a number of 64 bits for the hash,
    `station` the row of `stations`.
    """
    roles = stations.select(
        "station_id",
        station=pl.int_range(pl.len(), dtype=pl.UInt16),
        is_cordon=pl.col("role") == "cordon",
    )
    ordered = (
        passages.lazy()
        .filter(
            pl.col("passed_at") < end_at,
            pl.col("vehicle_class") == HEAVY,
            pl.col("plate_hash").is_not_null(),
        )
        .join(roles.lazy(), on="station_id")
        .select(
            "station",
            "passed_at",
            "is_cordon",
            is_in=pl.col("direction") == "in",
            plate=pl.col("plate_hash").hash(),
        )
        .sort("plate", "passed_at", "station", "is_in")
    )
    since_last = pl.col("passed_at") - pl.col("passed_at").shift()
    is_repeat = (
        (pl.col("plate") == pl.col("plate").shift())
        & (pl.col("station") == pl.col("station").shift())
        & (since_last <= pl.duration(seconds=REPEAT_SECONDS))
    )
    return ordered.filter(~is_repeat.fill_null(False)).collect()


def _candidates(readings: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Readings "in" whose plate's next cordon reading is "out" at another station.

    `trip_id` is the number of the entry among all cordon readings in order.
    """
    following = {
        name: pl.col(name).shift(-1) for name in ("plate", "station", "is_in", "passed_at")
    }
    is_trip = (
        (following["plate"] == pl.col("plate"))
        & pl.col("is_in")
        & ~following["is_in"]
        & (following["station"] != pl.col("station"))
    )
    cordon = readings.filter("is_cordon").select(
        entry_station="station",
        exit_station=following["station"],
        entry_at="passed_at",
        exit_at=following["passed_at"],
        seconds=(following["passed_at"] - pl.col("passed_at")).dt.total_seconds(),
        is_trip=is_trip,
    )
    station_ids = pl.lit(stations.get_column("station_id"))
    return (
        cordon.with_row_index("trip_id")
        .filter("is_trip")
        .select(
            pl.col("trip_id").cast(pl.Int64),
            "entry_at",
            "exit_at",
            "seconds",
            entry_station_id=station_ids.gather("entry_station"),
            exit_station_id=station_ids.gather("exit_station"),
        )
    )


def _ring_readings(
    readings: pl.DataFrame, candidates: pl.DataFrame, stations: pl.DataFrame
) -> pl.DataFrame:
    """Ring stations that read the vehicle between a candidate's entry and exit."""
    # Between the two cordon readings of a candidate no other one lies, so a ring reading belongs
    # to the cordon reading before it.
    before = pl.col("is_cordon").cum_sum().cast(pl.Int64) - 1
    ring = readings.select("station", trip_id=before, is_ring=~pl.col("is_cordon"))
    read = (
        ring.filter("is_ring")
        .join(candidates.select("trip_id"), on="trip_id", how="semi")
        .select("trip_id", "station")
        .unique()
    )
    station_ids = pl.lit(stations.get_column("station_id"))
    return read.select("trip_id", station_id=station_ids.gather("station"))


def _limits(candidates: pl.DataFrame, stations: pl.DataFrame) -> pl.DataFrame:
    """Longest time of a through trip for each ordered pair of stations, in seconds."""
    pair = ["entry_station_id", "exit_station_id"]
    bounded = (
        candidates.select(pair)
        .unique()
        .join(_positions(stations, "entry"), on="entry_station_id")
        .join(_positions(stations, "exit"), on="exit_station_id")
        .select(*pair, slowest_seconds=_straight_km() / SLOWEST_KMH * 3600)
    )
    plausible = candidates.join(bounded, on=pair).filter(
        pl.col("seconds") <= pl.col("slowest_seconds")
    )
    free_flow = pl.col("seconds").quantile(FREE_FLOW_QUANTILE, "linear")
    by_way = plausible.group_by(*pair, "is_read_on_ring").agg(way=free_flow, trip_count=pl.len())
    enough = pl.col("trip_count") >= FEWEST_TRIPS_OF_A_WAY
    slower = by_way.group_by(pair).agg(slower_way=pl.col("way").filter(enough).max())
    either = plausible.group_by(pair).agg(either_way=free_flow)
    longest = pl.coalesce("slower_way", "either_way") * LIMIT_FACTOR
    limit = pl.min_horizontal(longest, "slowest_seconds").cast(pl.Int64)
    timed = bounded.join(either, on=pair).join(slower, on=pair)
    return timed.select(*pair, limit_seconds=limit)


def _positions(stations: pl.DataFrame, end: str) -> pl.DataFrame:
    return stations.select(
        pl.col("station_id").alias(f"{end}_station_id"),
        pl.col("latitude").radians().alias(f"{end}_latitude"),
        pl.col("longitude").radians().alias(f"{end}_longitude"),
    )


def _straight_km() -> pl.Expr:
    """Distance between the two ends on a plane at their mean latitude."""
    mean_latitude = (pl.col("entry_latitude") + pl.col("exit_latitude")) / 2
    north = pl.col("exit_latitude") - pl.col("entry_latitude")
    east = (pl.col("exit_longitude") - pl.col("entry_longitude")) * mean_latitude.cos()
    return EARTH_RADIUS_KM * (north**2 + east**2).sqrt()


def _with_block_end(trips: pl.DataFrame, delivered: pl.Series, time_zone: str) -> pl.DataFrame:
    """Each trip's entry date and the instant at which its unbroken block of days ends."""
    days = pl.DataFrame({"entry_date": delivered}).with_columns(
        block=(pl.col("entry_date").diff() != pl.duration(days=1)).fill_null(True).cum_sum()
    )
    after = (pl.col("entry_date").max() + pl.duration(days=1)).cast(pl.Datetime("ms"))
    ends = days.select(
        "entry_date",
        block_end_at=after.over("block")
        .dt.replace_time_zone(time_zone, ambiguous="earliest")
        .dt.convert_time_zone("UTC"),
    )
    return trips.with_columns(entry_date=_local_date(time_zone)).join(ends, on="entry_date")


def _local_date(time_zone: str) -> pl.Expr:
    return pl.col("entry_at").dt.convert_time_zone(time_zone).dt.date()


def _band(instant: str, time_zone: str) -> pl.Expr:
    hour = pl.col(instant).dt.convert_time_zone(time_zone).dt.hour()
    return (hour // BAND_HOURS).cast(pl.Int32)
