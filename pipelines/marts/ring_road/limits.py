"""Limits: the time within which a matched trip counts as through traffic, by pair and hour.

A vehicle that stayed in the city to load isn't through traffic, and only its time tells it. The
times of one pair of stations fall in two heaps: those who drove, and those who stayed. For each
way (trips read on the ring, and the others) the limit lies

- where trips are many and their times fall in two heaps: at the *balance* of a mixture of two
  normal distributions of the logs of the times, where as many drives lie beyond it as stays before
  it, so that counts are right though some trips are taken for the other kind. There are two heaps
  where the valley between them is at most half as high as the lower one. A balance below the
  free-flow time parts the fast trips that the ring did not read from those through the city, and
  is none;
- else at the free-flow time (lower quartile) times a factor.

Times are taken relative to their hour, since the morning peak isn't a stop: the lower quartile of
an hour, over all pairs of a class and way, shifts the limit of that hour. Ring and city have
different delays, but one limit: the longer one of the two, since a limit taken from the fast ring
would cut off trips through the city, and raise the ring's share. No limit is longer than the
straight way takes on foot (`matching`).

The limits of a month stand on the trips of the month and of the two before: what comes later
changes no month that has gone out. Times are whole bins of `marts.matched_trips`, so that limits
are exact, whatever the order of the rows.
"""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.marts.matched_trips import ALL, ANY, BIN_WIDTH, CELL, THROUGH
from pipelines.marts.ring_road.matching import PAIR

MONTHS_OF_A_LIMIT = 3
# The lower quartile, not less: on a way past one ring station, up to a quarter of the trips without
# a reading there took the ring unread, and are fast.
FREE_FLOW_QUANTILE = 0.25
# Peak over free-flow times reach 1.5 to 2 in congested large cities (travel time index): room for
# a bad day and a short rest, but not for unloading.
LIMIT_FACTOR = 1.75
# Fewer trips tell no free-flow time of a way (the lower quartile of eight is the second fastest),
# no delay of an hour, and no two heaps.
FEWEST_TRIPS_OF_A_WAY = 8
FEWEST_TRIPS_OF_AN_HOUR = 50
FEWEST_TRIPS_OF_A_MIXTURE = 200
LEAST_WEIGHT = 0.01
DEEPEST_VALLEY_SHARE = 0.5
EM_ROUNDS = 200
BALANCE, FREE_FLOW = "balance of drives and stays", "free-flow time x 1.75"

Floats = npt.NDArray[np.float64]
_WAY = ("month_date", "vehicle_class", *PAIR, "is_read_on_ring")
_LIMIT = ("month_date", "vehicle_class", *PAIR)


def trip_cells(matched: pl.DataFrame) -> pl.DataFrame:
    """Trips into the city and out of it, by the way they took.

    `matched` as in `marts.matched_trips`. Columns: its cell, with `is_read_on_ring` for the reader,
    and month_date, the month of entry.
    """
    through = matched.filter(pl.col("directions") == THROUGH)
    read = through.filter(pl.col("reader") == ANY).drop("reader")
    every = through.filter(pl.col("reader") == ALL).drop("reader")
    rest = pl.col("trip_count") - pl.col("read_count").fill_null(0)
    others = (
        every.join(read.rename({"trip_count": "read_count"}), on=CELL, how="left")
        .with_columns(trip_count=rest)
        .filter(pl.col("trip_count") > 0)
        .drop("read_count")
    )
    ways = [
        frame.with_columns(is_read_on_ring=pl.lit(flag))
        for frame, flag in ((read, True), (others, False))
    ]
    return pl.concat(ways).with_columns(month_date=pl.col("service_date").dt.month_start())


def limits(cells: pl.DataFrame) -> pl.DataFrame:
    """The longest time of a through trip, as a bin.

    `cells` as `trip_cells` gives them. A row per month, class, pair and hour of entry that has
    trips: month_date, vehicle_class, entry_, exit_station_id, entry_hour, limit_bin, limit_source.
    """
    pool = _pooled(cells)
    shifts = _hour_shifts(pool)
    relative = (
        pool.join(shifts, on=["month_date", "vehicle_class", "is_read_on_ring", "entry_hour"])
        .with_columns(relative_bin=pl.col("minutes_bin") - pl.col("shift"))
        .group_by(*_WAY, "relative_bin")
        .agg(pl.col("trip_count").sum())
    )
    by_way = _limits_by_way(relative)
    hours = pool.select(*_LIMIT, "entry_hour").unique()
    longest = (
        hours.join(by_way, on=_LIMIT)
        .join(
            shifts, on=["month_date", "vehicle_class", "is_read_on_ring", "entry_hour"], how="left"
        )
        .with_columns(limit_bin=pl.col("limit_bin") + pl.col("shift").fill_null(0))
        .sort("limit_bin", "is_read_on_ring", descending=True)
    )
    return (
        longest.unique([*_LIMIT, "entry_hour"], keep="first", maintain_order=True)
        .select(*_LIMIT, "entry_hour", pl.col("limit_bin").cast(pl.Int32), "limit_source")
        .sort(*_LIMIT, "entry_hour")
    )


def _pooled(cells: pl.DataFrame) -> pl.DataFrame:
    """Trips by month, class, pair, way, hour and bin, each month with those before it."""
    keys = [*_WAY, "entry_hour", "minutes_bin"]
    monthly = cells.group_by(keys).agg(pl.col("trip_count").sum())
    later = [
        monthly.with_columns(pl.col("month_date").dt.offset_by(f"{months}mo"))
        for months in range(MONTHS_OF_A_LIMIT)
    ]
    known = monthly.select("month_date").unique()
    pooled = pl.concat(later).join(known, on="month_date", how="semi")
    return pooled.group_by(keys).agg(pl.col("trip_count").sum()).sort(keys)


def _quantile(trips: pl.DataFrame, keys: list[str], value: str, share: float) -> pl.DataFrame:
    """Weighted lower quantile of `value` (whole numbers) by `keys`, and the trips it stands on."""
    count = pl.col("trip_count")
    return (
        trips.group_by(*keys, value)
        .agg(count.sum())
        .sort(*keys, value)
        .with_columns(up_to=count.cum_sum().over(keys), total=count.sum().over(keys))
        .filter(pl.col("up_to") >= share * pl.col("total"))
        .group_by(keys, maintain_order=True)
        .agg(pl.col(value).first(), pl.col("total").first())
    )


def _hour_shifts(pool: pl.DataFrame) -> pl.DataFrame:
    """How many bins an hour's trips take longer than those of all hours, over all pairs."""
    usual = _quantile(pool, list(_WAY), "minutes_bin", FREE_FLOW_QUANTILE)
    later = pl.col("minutes_bin") - pl.col("usual_bin")
    deviations = pool.join(usual.select(*_WAY, usual_bin="minutes_bin"), on=_WAY).with_columns(
        shift=later
    )
    keys = ["month_date", "vehicle_class", "is_read_on_ring", "entry_hour"]
    enough = pl.col("total") >= FEWEST_TRIPS_OF_AN_HOUR
    return _quantile(deviations, keys, "shift", FREE_FLOW_QUANTILE).select(
        *keys, shift=pl.when(enough).then("shift").otherwise(0)
    )


def _limits_by_way(relative: pl.DataFrame) -> pl.DataFrame:
    """Limit of each way of each pair in bins relative to the hour; of both together where few."""
    free_flow = _quantile(relative, list(_WAY), "relative_bin", FREE_FLOW_QUANTILE)
    told = free_flow.filter(pl.col("total") >= FEWEST_TRIPS_OF_A_WAY)
    few = free_flow.join(told, on=_LIMIT, how="anti")
    either = _quantile(
        relative.join(few, on=_LIMIT, how="semi"), list(_LIMIT), "relative_bin", FREE_FLOW_QUANTILE
    ).with_columns(is_read_on_ring=pl.lit(None, pl.Boolean))
    factor = int(log(LIMIT_FACTOR) / BIN_WIDTH)
    ways = pl.concat([told, either.select(told.columns)])
    is_balance = (pl.col("balance_bin") > pl.col("relative_bin")).fill_null(value=False)
    longest = pl.when(is_balance).then("balance_bin").otherwise(pl.col("relative_bin") + factor)
    source = pl.when(is_balance).then(pl.lit(BALANCE)).otherwise(pl.lit(FREE_FLOW))
    return ways.join(_balances(relative), on=_WAY, how="left").select(
        *_WAY, limit_bin=longest, limit_source=source
    )


def _balances(relative: pl.DataFrame) -> pl.DataFrame:
    """Where the times of a way fall in two heaps: the bin of the valley between them."""
    total = pl.col("trip_count").sum().over(_WAY)
    many = relative.filter(total >= FEWEST_TRIPS_OF_A_MIXTURE).sort(*_WAY, "relative_bin")
    ways = many.select(_WAY).unique(maintain_order=True)
    if not ways.height:
        return ways.with_columns(balance_bin=pl.lit(None, pl.Int32))
    first = int(many.get_column("relative_bin").min())  # type: ignore[arg-type]  # a number
    row = many.join(ways.with_row_index("row"), on=_WAY, maintain_order="left").get_column("row")
    column = many.get_column("relative_bin").to_numpy() - first
    counts = np.zeros((ways.height, int(column.max()) + 1))
    counts[row.to_numpy(), column] = many.get_column("trip_count").to_numpy()
    found = balance_columns(counts)
    return ways.with_columns(
        balance_bin=pl.Series(np.where(found >= 0, found + first, -(2**31)), dtype=pl.Int32)
    ).filter(pl.Series(found >= 0))


def balance_columns(counts: Floats) -> npt.NDArray[np.int64]:
    """Column of the balance between the two heaps of each row of counts, -1 where there is none.

    Columns are equal steps of the log of time. Two normal distributions are fitted to each row by
    EM (McLachlan and Peel, Finite Mixture Models, 2000), from two beginnings: heaps of one size at
    the lower and upper decile, and a small late heap; the likelier end is taken.
    """
    from scipy.special import ndtr  # 0.2 s, which the reading of DAGs can do without

    place = np.arange(counts.shape[1], dtype=np.float64)
    beginnings = ((0.10, 0.90, 0.5), (0.40, 0.995, 0.05))
    fits = [_fitted(counts, place, _begin(counts, *start)) for start in beginnings]
    better = (fits[1][3] > fits[0][3])[:, None]
    weight, centre, spread = (np.where(better, fits[1][k], fits[0][k]) for k in range(3))
    is_between = (place > centre[:, :1]) & (place < centre[:, 1:])
    before = weight[:, :, None] * ndtr((place + 0.5 - centre[:, :, None]) / spread[:, :, None])
    surplus = np.abs(weight[:, :1] - before[:, 0] - before[:, 1])
    balance = np.where(is_between, surplus, np.inf).argmin(axis=1)
    density = _densities(place, weight, centre, spread).sum(axis=1)
    peaks = np.take_along_axis(density, centre.round().astype(int), axis=1).min(axis=1)
    valley = np.where(is_between, density, np.inf).min(axis=1)
    is_split = (valley <= DEEPEST_VALLEY_SHARE * peaks) & (weight.min(axis=1) >= LEAST_WEIGHT)
    return np.where(is_split, balance, -1)


def _begin(counts: Floats, low: float, high: float, late: float) -> tuple[Floats, Floats, Floats]:
    """Weights, centres and spreads of two heaps: rows of two."""
    share = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    centre = np.stack([(share < at).sum(axis=1) for at in (low, high)], axis=1).astype(np.float64)
    spread = np.maximum(np.diff(centre, axis=1) / 4, 1.0).repeat(2, axis=1)
    weight = np.tile([1 - late, late], (len(counts), 1))
    return weight, centre, spread


def _fitted(
    counts: Floats, place: Floats, begin: tuple[Floats, Floats, Floats]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights, centres, spreads after EM, and the log likelihood of each row."""
    weight, centre, spread = begin
    total = counts.sum(axis=1, keepdims=True)
    for _ in range(EM_ROUNDS):
        heaps = _densities(place, weight, centre, spread)
        belongs = counts[:, None, :] * heaps / heaps.sum(axis=1, keepdims=True)
        size = np.maximum(belongs.sum(axis=2), 1e-9)
        weight = size / total
        centre = (belongs * place).sum(axis=2) / size
        away = (place - centre[:, :, None]) ** 2
        spread = np.sqrt(np.maximum((belongs * away).sum(axis=2) / size, 1.0))
    likelihood = (counts * np.log(_densities(place, weight, centre, spread).sum(axis=1))).sum(
        axis=1
    )
    return weight, centre, spread, likelihood


def _densities(place: Floats, weight: Floats, centre: Floats, spread: Floats) -> Floats:
    """Weighted density of each heap (rows x two x columns), never zero."""
    away = (place - centre[:, :, None]) / spread[:, :, None]
    density: Floats = weight[:, :, None] / spread[:, :, None] * np.exp(-0.5 * away**2)
    return density + 1e-300
