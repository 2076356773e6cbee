"""Reader faults: what is wrong with the readers of a month, so that its share can be flagged.

- *unlisted*: readings of a station that no list knows (renamed, misspelt): they count for nothing;
- *silent*: a listed reader without readings on days on which others read, once it had begun;
- *swapped*: at a cordon station with "in" and "out" the wrong way round, most matches have two
  equal directions ("in in", "out out"), which elsewhere only a missed reading makes;
- *clock*: trips into a station last longer than trips out of it by twice as much as its clock is
  ahead; told is half the median of the differences over the other stations;
- *hardly reads*: a rate at which one trip stands for more than five.

Left out: clocks of gantries (their audited rate falls: *hardly reads*), a fault that all stations
share, and clocks off by more than trips last, after which nothing matches (*swapped* or *silent*).
"""

from __future__ import annotations

import polars as pl

from pipelines.marts.matched_trips import ALL, THROUGH, minutes
from pipelines.marts.ring_road.read_rates import LOWEST_RATE

# Ours. Fewer matches than these say nothing of a station's directions, or of a pair's time.
FEWEST_MATCHES = 50
FEWEST_TRIPS_OF_A_PAIR = 20
MOST_EQUAL_SHARE = 0.5
# Half of what summer time moves a clock by; ways in and out of a city differ by less.
LEAST_CLOCK_MINUTES = 30.0
TOLD_FAULTS = 5

_FAULT = ("month_date", "station_id", "fault")


def reader_faults(
    matched: pl.DataFrame,
    passage_days: pl.DataFrame,
    count_stations: pl.DataFrame,
    rates: pl.DataFrame | None,
) -> pl.DataFrame:
    """The faults of each month in words: month_date, warning. Months without faults have no row.

    `matched` as in `marts.matched_trips`; `rates` as `audited_rates` tells them, null without
    audits.
    """
    readers = count_stations.filter(pl.col("role").is_in(["cordon", "ring"]))
    days = passage_days.select(
        "station_id",
        "passed_date",
        "reading_count",
        month_date=pl.col("passed_date").dt.month_start(),
    )
    dated = matched.with_columns(month_date=pl.col("service_date").dt.month_start())
    is_trip = (pl.col("reader") == ALL) & (pl.col("directions") == THROUGH)
    faults = [
        _unlisted(days, count_stations),
        _silent(days, readers),
        _swapped(dated),
        _clocks(dated.filter(is_trip)),
    ]
    if rates is not None:
        faults.append(_hardly_read(rates))
    told = pl.concat(rows.select(_FAULT) for rows in faults).sort(_FAULT)
    rest = pl.len().cast(pl.Int64) - TOLD_FAULTS
    more = pl.when(rest > 0).then(pl.format("; and {} more", rest)).otherwise(pl.lit(""))
    return (
        told.group_by("month_date", maintain_order=True)
        .agg(told=pl.col("fault").head(TOLD_FAULTS), more=more)
        .select("month_date", warning=pl.col("told").list.join("; ") + pl.col("more"))
    )


def _unlisted(days: pl.DataFrame, count_stations: pl.DataFrame) -> pl.DataFrame:
    count = pl.col("reading_count").sum()
    return (
        days.join(count_stations, on="station_id", how="anti")
        .group_by("month_date", "station_id")
        .agg(fault=pl.format("{} readings of {}, which no list knows", count, _station()))
    )


def _station() -> pl.Expr:
    return pl.col("station_id").first()


def _silent(days: pl.DataFrame, readers: pl.DataFrame) -> pl.DataFrame:
    """Days without readings of a listed reader, from the day on which it read first."""
    delivered = days.select("month_date", "passed_date").unique()
    read = days.select("station_id", "passed_date").unique().with_columns(has_read=pl.lit(True))
    begun = read.group_by("station_id").agg(first_date=pl.col("passed_date").min())
    expected = (
        readers.select("station_id")
        .unique()
        .join(begun, on="station_id")
        .join(delivered, how="cross")
        .filter(pl.col("passed_date") >= pl.col("first_date"))
        .join(read, on=["station_id", "passed_date"], how="left")
    )
    silent = pl.col("has_read").is_null().sum()
    return (
        expected.group_by("month_date", "station_id")
        .agg(
            fault=pl.format("{} read nothing on {} of {} days", _station(), silent, pl.len()),
            silent=silent,
        )
        .filter(pl.col("silent") > 0)
    )


def equal_direction_shares(matched: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Of the matches that begin or end at a station, the share with two equal directions.

    `matched` as in `marts.matched_trips`. Columns: `keys`, station_id, equal_direction_share; no
    row where the matches are too few.
    """
    every = matched.filter(pl.col("reader") == ALL)
    is_equal = pl.col("directions").is_in(["in in", "out out"])
    ends = [
        every.select(*keys, "trip_count", is_equal=is_equal, station_id=end)
        for end in ("entry_station_id", "exit_station_id")
    ]
    count = pl.col("trip_count").sum()
    share = pl.col("trip_count").filter("is_equal").sum() / count
    return (
        pl.concat(ends)
        .group_by(*keys, "station_id")
        .agg(count=count, equal_direction_share=share)
        .filter(pl.col("count") >= FEWEST_MATCHES)
        .drop("count")
    )


def _swapped(matched: pl.DataFrame) -> pl.DataFrame:
    return (
        equal_direction_shares(matched, "month_date")
        .filter(pl.col("equal_direction_share") > MOST_EQUAL_SHARE)
        .with_columns(
            fault=pl.format("{} seems to tell in and out the wrong way round", "station_id")
        )
    )


def _clocks(trips: pl.DataFrame) -> pl.DataFrame:
    pair = ["month_date", "entry_station_id", "exit_station_id"]
    count = pl.col("trip_count")
    taken = (
        trips.group_by(*pair, "minutes_bin")
        .agg(count.sum())
        .sort(*pair, "minutes_bin")
        .with_columns(up_to=count.cum_sum().over(pair), total=count.sum().over(pair))
        .filter(2 * pl.col("up_to") >= pl.col("total"), pl.col("total") >= FEWEST_TRIPS_OF_A_PAIR)
        .group_by(pair, maintain_order=True)
        .agg(median=minutes(pl.col("minutes_bin")).first())
    )
    out_of = taken.rename({"entry_station_id": "station_id", "exit_station_id": "other"})
    into = taken.rename({"exit_station_id": "station_id", "entry_station_id": "other"})
    ahead = ((pl.col("median") - pl.col("median_out")) / 2).median()
    off = (
        into.join(out_of, on=["month_date", "station_id", "other"], suffix="_out")
        .group_by("month_date", "station_id")
        .agg(ahead=ahead, others=pl.len())
        .filter(pl.col("others") >= 3, pl.col("ahead").abs() >= LEAST_CLOCK_MINUTES)
    )
    way = pl.when(pl.col("ahead") > 0).then(pl.lit("ahead")).otherwise(pl.lit("behind"))
    size = 5 * (pl.col("ahead").abs() / 5).round().cast(pl.Int64)
    return off.with_columns(
        fault=pl.format("clock of {} seems about {} minutes {}", "station_id", size, way)
    )


def _hardly_read(rates: pl.DataFrame) -> pl.DataFrame:
    return (
        rates.filter(pl.col("read_rate") <= LOWEST_RATE)
        .group_by("month_date", "station_id")
        .agg(fault=pl.format(f"{{}} reads at most {LOWEST_RATE:.0%} of plates", _station()))
    )
