"""Sensor health: which count stations can be believed on the night, and what is wrong with others.

Looked at are the `WINDOW_DAYS` local days up to the service date (for what repeats, lacks or is
zero) and the `STEP_DAYS` up to it (for what changed and stayed). Counts may come `LATE_DAYS` days
late, all stations alike, before they count as missing. The checks:

- *missing*: days and hours without a count, of those that the station was open;
- *silent, stuck, duplicate* (`ring_road.health.broken_days`): zeros that aren't empty roads,
  numbers that repeat, numbers that are another station's;
- *change point, clock* (`ring_road.health.station_steps`): a lasting step of the level, or of the
  clock, against the other stations;
- *renamed* (`ring_road.health.renamed`): a new station where a listed one fell silent;
- *unread*, *swapped*: readings of the station's camera without a plate, and directions the wrong
  way round (`ring_road.reader_faults`).

`health_weight` is the share of expected days that can be used (counted all day, and not broken),
and 0 where a duplicate, a renaming, a clock or a change point leaves no day to be trusted. A change
of level at an event of the city file is what figures are there to measure: it is told, and takes no
weight. No day of a station is expected before it opened or first counted, before any station
counted, after the last count of one that isn't listed, nor of cameras that never count: without an
expected day there is no weight.

Sources: Federal Highway Administration, *Traffic Monitoring Guide* (quality control of counts);
PeMS, detector health and its reasons. Limits are ours and named where they are used.

Left out: errors that all stations share from the first day on, and
what sensors lose in heavy traffic or snow.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of, share
from pipelines.marts.matched_trips import MatchedTrips
from pipelines.marts.ring_road.health.broken_days import (
    DUPLICATE,
    SILENT,
    STUCK,
    broken_days,
    equal_stations,
)
from pipelines.marts.ring_road.health.findings import findings_text, is_at_event
from pipelines.marts.ring_road.health.renamed import find_renamed
from pipelines.marts.ring_road.health.station_steps import find_station_steps
from pipelines.marts.ring_road.reader_faults import equal_direction_shares
from pipelines.marts.ring_road.station_days import main_class_days, station_days
from pipelines.night import Event, Night
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.passages import PassageDays
from pipelines.staging.traffic import STATION_ROLES, CountStations

# Ours. Four weeks: every weekday four times, and a repaired sensor is soon believed again.
WINDOW_DAYS = 28
# Half a year: long enough for a level before and after, short enough for last year's to be forgot.
STEP_DAYS = 180
# Files of a day come in the days after it, over a weekend too.
LATE_DAYS = 3
_DIGITS = 6
_STATION = "station_id"


def _days(description: str) -> dy.Int64:
    return dy.Int64(min=0, metadata={"unit": "days"}, description=description)


class SensorHealth(dy.Schema):
    """One row per service date and station that is listed, counts or reads plates."""

    service_date = dy.Date(primary_key=True, description="Local date that the row is about.")
    station_id = dy.String(primary_key=True, description="Station.")
    role = one_of(*STATION_ROLES, nullable=True, description="Its role; null: it isn't listed.")
    is_listed = dy.Bool(description="Whether it is in the list of count stations.")
    first_counted_date = dy.Date(nullable=True, description="First local day with a counted hour.")
    last_counted_date = dy.Date(nullable=True, description="Last local day with a counted hour.")
    expected_day_count = _days("Of the last 28 days, those on which it should have counted.")
    complete_day_count = _days("Of these, days of which every hour was counted.")
    missing_day_count = _days("Of these, days without any counted hour.")
    usable_day_count = _days("Of these, complete days that are neither stuck, silent nor copied.")
    missing_hour_share = share("Hours without a count, of those days' hours.")
    zero_hour_share = share(
        "Hours that say zero where the station is never empty, of the hours counted."
    )
    stuck_day_count = _days("Of these, days on which its counts repeat more than chance allows.")
    duplicate_of_station_id = dy.String(
        nullable=True, description="Station with the same daily counts on most of these days."
    )
    change_point_date = dy.Date(
        nullable=True, description="First day of another level against other stations."
    )
    change_point_ratio = dy.Float64(
        nullable=True, min=0, description="Level from that day on / level before it."
    )
    clock_shift_hours = dy.Float64(
        nullable=True,
        metadata={"unit": "h"},
        description="Lasting step of its mean clock hour against other stations.",
    )
    renamed_from_station_id = dy.String(
        nullable=True, description="Listed station that fell silent as this one began: suspected."
    )
    unread_share = share("Readings of these days without a plate; null: it read nothing.")
    equal_direction_share = share(
        "Matched readings of these days that tell 'in' or 'out' twice; null: too few matches."
    )
    health_weight = share("usable / expected days; 0: none can be trusted; null: none expected.")
    findings = dy.String(nullable=True, description="What is wrong, '; ' between; null: nothing.")

    @dy.rule()
    def days_within_expected(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Days are parts of the expected ones."""
        complete, usable = pl.col("complete_day_count"), pl.col("usable_day_count")
        return (complete + pl.col("missing_day_count") <= pl.col("expected_day_count")) & (
            usable <= complete
        )

    @dy.rule()
    def weight_where_expected(cls) -> pl.Expr:  # noqa: N805  # as above
        """There is a weight exactly where days were expected."""
        return pl.col("health_weight").is_not_null() == (pl.col("expected_day_count") > 0)

    @dy.rule()
    def no_weight_has_a_finding(cls) -> pl.Expr:  # noqa: N805  # as above
        """A station of weight 0 says why."""
        return (pl.col("health_weight") > 0) | pl.col("findings").is_not_null()

    @dy.rule()
    def change_has_date_and_ratio(cls) -> pl.Expr:  # noqa: N805  # as above
        """A change point has its date and its ratio."""
        return pl.col("change_point_date").is_null() == pl.col("change_point_ratio").is_null()

    @dy.rule()
    def another_than_itself(cls) -> pl.Expr:  # noqa: N805  # as above
        """A station is neither its own duplicate nor renamed from itself."""
        return pl.all_horizontal(
            pl.col(name).ne_missing(pl.col("station_id"))
            for name in ("duplicate_of_station_id", "renamed_from_station_id")
        )


def compute_sensor_health(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    count_station_days: dy.DataFrame[CountStationDays],
    passage_days: dy.DataFrame[PassageDays],
    matched_trips: dy.DataFrame[MatchedTrips],
    events: tuple[Event, ...],
) -> dy.DataFrame[SensorHealth]:
    """The health of every station on the night, sorted by key."""
    as_of = night.service_date
    since = as_of - timedelta(days=STEP_DAYS - 1)
    counted = count_station_days.filter(pl.col("service_date") <= as_of)
    listed = one_list(count_stations)
    roles: dict[str, str] = dict(listed.select(_STATION, "role").iter_rows())
    days = station_days(counted.filter(pl.col("service_date") >= since), as_of)
    main = main_class_days(days)
    broken = broken_days(days, roles)
    key = [_STATION, "service_date"]
    sound = main.filter(pl.col("vehicle_count") > 0).join(broken, on=key, how="anti")
    read = passage_days.filter(pl.col("passed_date") <= as_of)
    expected = _expected(counted, listed, read, as_of)
    window = main.join(broken, on=key, how="left").join(expected, on=_STATION)
    found = (
        expected.join(_window_figures(window), on=_STATION, how="left")
        .join(_twins(window, roles), on=_STATION, how="left")
        .join(find_station_steps(sound, roles), on=_STATION, how="left")
        .join(_renamed(counted, main, roles, since), on=_STATION, how="left")
        .join(_unread(read, as_of), on=_STATION, how="left")
        .join(_equal_directions(matched_trips, as_of), on=_STATION, how="left")
    )
    successors = {
        row["renamed_from_station_id"]: row[_STATION]
        for row in found.iter_rows(named=True)
        if row["renamed_from_station_id"]
    }
    rows = [_row(row, as_of, events, successors) for row in found.iter_rows(named=True)]
    types = {name: column.dtype for name, column in SensorHealth.columns().items()}
    return SensorHealth.validate(pl.DataFrame(rows, schema=types).sort(_STATION))


def one_list(count_stations: pl.DataFrame) -> pl.DataFrame:
    """Each listed station once, whichever lists have it."""
    ordered = count_stations.sort("source_id", "version_id", _STATION)
    return ordered.unique(_STATION, keep="first", maintain_order=True)


def _expected(
    counted: pl.DataFrame, listed: pl.DataFrame, read: pl.DataFrame, as_of: date
) -> pl.DataFrame:
    """One row per station: role, spans of counting, and the days on which counts are expected."""
    day = pl.col("service_date")
    spans = (
        counted.filter(pl.col("counted_hour_count") > 0)
        .group_by(_STATION)
        .agg(first_counted_date=day.min(), last_counted_date=day.max())
    )
    delivered = spans.select(pl.col("last_counted_date").max()).item() or date.min
    begun = spans.select(pl.col("first_counted_date").min()).item() or date.min
    until = max(as_of - timedelta(days=LATE_DAYS), min(delivered, as_of))
    cameras = read.select(_STATION).unique().with_columns(is_camera=True)
    stations = pl.concat([frame.select(_STATION) for frame in (listed, spans, cameras)]).unique()
    never_counts = pl.col("first_counted_date").is_null() & (
        pl.col("is_camera").fill_null(value=False) | pl.lit(spans.is_empty())
    )
    opened = pl.coalesce("opened_date", "first_counted_date", pl.lit(date.min))
    last = pl.when("is_listed").then(pl.lit(until)).otherwise(pl.col("last_counted_date"))
    first_of_window = as_of - timedelta(days=WINDOW_DAYS - 1)
    length = (pl.col("expected_until_date") - pl.col("expected_from_date")).dt.total_days() + 1
    return (
        stations.join(
            listed.select(_STATION, "role", "opened_date", is_listed=pl.lit(value=True)),
            on=_STATION,
            how="left",
        )
        .join(spans, on=_STATION, how="left")
        .join(cameras, on=_STATION, how="left")
        .with_columns(
            pl.col("is_listed").fill_null(value=False),
            expected_from_date=pl.max_horizontal(opened, pl.lit(max(begun, first_of_window))),
        )
        .with_columns(expected_until_date=pl.min_horizontal(last, pl.lit(until)))
        .with_columns(
            expected_day_count=pl.when(~never_counts).then(length).otherwise(0).clip(0, WINDOW_DAYS)
        )
    )


def _window_figures(window: pl.DataFrame) -> pl.DataFrame:
    """One row per station with a row on an expected day: its days and hours."""
    count, finding = pl.col("vehicle_count"), pl.col("finding")
    is_complete, counted = count.is_not_null(), pl.col("counted_hour_count").cast(pl.Int64)
    # A file by the day tells no hours: a day of zero vehicles is one of zero hours.
    zeros = pl.when(count == 0).then(counted).otherwise(pl.col("zero_hour_count").cast(pl.Int64))
    return (
        _of_expected_days(window)
        .group_by(_STATION)
        .agg(
            complete_day_count=is_complete.sum(),
            counted_day_count=(counted > 0).sum(),
            usable_day_count=(is_complete & finding.is_null()).sum(),
            stuck_day_count=(finding == STUCK).sum(),
            last_stuck_date=pl.col("service_date").filter(finding == STUCK).max(),
            counted_hours=counted.sum(),
            day_hours=pl.col("day_hour_count").cast(pl.Int64).sum(),
            told_day_count=pl.len().cast(pl.Int64),
            silent_hours=zeros.filter(finding == SILENT).sum(),
            copied_day_count=(finding == DUPLICATE).sum(),
        )
    )


def _of_expected_days(window: pl.DataFrame) -> pl.DataFrame:
    return window.filter(
        pl.col("service_date").is_between("expected_from_date", "expected_until_date")
        & (pl.col("expected_day_count") > 0)
    )


def _twins(window: pl.DataFrame, roles: Mapping[str, str]) -> pl.DataFrame:
    is_own = ~pl.col("finding").is_in([STUCK, SILENT]).fill_null(value=False)
    days = _of_expected_days(window).filter(is_own)
    twins = equal_stations(days, roles)
    return twins.select(_STATION, duplicate_of_station_id="twin_id", duplicate_share="equal_share")


def _renamed(
    counted: pl.DataFrame, main: pl.DataFrame, roles: Mapping[str, str], since: date
) -> pl.DataFrame:
    """Renamings since the first day looked at, of stations that hadn't counted before it."""
    is_old = (pl.col("service_date") < since) & (pl.col("counted_hour_count") > 0)
    known = counted.filter(is_old).select(_STATION).unique()
    is_listed = pl.col(_STATION).is_in(list(roles))
    begun = main.filter(pl.col("counted_hour_count") > 0)
    candidates = pl.concat(
        [begun.filter(is_listed), begun.filter(~is_listed).join(known, on=_STATION, how="anti")]
    )
    return find_renamed(candidates, roles, since)


def _unread(read: pl.DataFrame, as_of: date) -> pl.DataFrame:
    first_of_window = as_of - timedelta(days=WINDOW_DAYS - 1)
    readings = read.filter(pl.col("passed_date") >= first_of_window)
    share = pl.col("unread_count").sum() / pl.col("reading_count").sum()
    return readings.group_by(_STATION).agg(unread_share=share)


def _equal_directions(matched: pl.DataFrame, as_of: date) -> pl.DataFrame:
    first_of_window = as_of - timedelta(days=WINDOW_DAYS - 1)
    return equal_direction_shares(
        matched.filter(pl.col("service_date").is_between(first_of_window, as_of))
    )


def _row(
    found: Mapping[str, Any], as_of: date, events: tuple[Event, ...], successors: Mapping[str, str]
) -> dict[str, Any]:
    """A station's row of what was found of it."""
    expected = found["expected_day_count"]
    counts = {
        name: found[name] or 0
        for name in ("complete_day_count", "usable_day_count", "stuck_day_count")
    }
    absent = expected - (found["told_day_count"] or 0)
    hours = (found["day_hours"] or 0) + 24 * absent
    counted_hours = found["counted_hours"] or 0
    row = {name: found[name] for name in SensorHealth.column_names() if name in found} | {
        "service_date": as_of,
        **counts,
        "missing_day_count": expected - (found["counted_day_count"] or 0),
        "missing_hour_share": _rounded(max(0.0, 1 - counted_hours / hours)) if expected else None,
        "zero_hour_share": (
            _rounded((found["silent_hours"] or 0) / counted_hours) if counted_hours else None
        ),
        "change_point_ratio": _rounded(found["change_point_ratio"]),
        "clock_shift_hours": _rounded(found["clock_shift_hours"]),
        "unread_share": _rounded(found["unread_share"]),
        "equal_direction_share": _rounded(found["equal_direction_share"]),
    }
    change = row["change_point_date"]
    is_distrusted = (
        row["duplicate_of_station_id"] is not None
        or row["renamed_from_station_id"] is not None
        or row["clock_shift_hours"] is not None
        or (change is not None and not is_at_event(change, events))
    )
    usable = 0 if is_distrusted else counts["usable_day_count"]
    row["health_weight"] = _rounded(usable / expected) if expected else None
    row["findings"] = findings_text({**found, **row}, events, successors)
    return row


def _rounded(value: float | None) -> float | None:
    """Rounded so that the last bits of sums don't show."""
    return None if value is None else round(value, _DIGITS)
