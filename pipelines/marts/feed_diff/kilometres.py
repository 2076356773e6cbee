"""Vehicle-kilometres by route on a weekday that two versions can be compared by."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.marts.trip_patterns import SEPARATOR
from pipelines.marts.trip_stats import KM_DECIMALS

FRIDAY = 5
UNKNOWN = "no distance for at least one trip"


def compared_dates(
    before: pl.DataFrame, after: pl.DataFrame, as_of: date
) -> tuple[date | None, date | None]:
    """The dates by which two versions are compared; None where one runs on no weekday.

    Both frames are service dates of one version. By the rule in `pipelines.marts.feed_diff`.
    """
    first, second = _weekdays(before), _weekdays(after)
    both = first.join(second, on="service_date", suffix="_after").with_columns(
        services=pl.concat_str("services", "services_after", separator=SEPARATOR * 2)
    )
    if both.height:
        common = _typical_date(both, as_of)
        return common, common
    return _typical_date(first, as_of), _typical_date(second, as_of)


def route_km(trips: pl.DataFrame, services: pl.Series) -> pl.DataFrame:
    """One row per route that runs on those services: key, label, count of departures, km.

    km is null where the distance of one of the route's trips is unknown.
    """
    scale = 10**KM_DECIMALS
    # Whole millimetres, so that the sum is the same in any order.
    length = (pl.col("distance_km") * scale).round().cast(pl.Int64) * pl.col("departure_count")
    is_known = pl.col("distance_km").is_not_null().all()
    running = trips.filter(pl.col("service_id").is_in(services.implode()))
    return running.group_by(key="route").agg(
        label=pl.min("route_label"),
        count=pl.sum("departure_count"),
        km=pl.when(is_known).then(length.sum() / scale),
    )


def services_on(service_dates: pl.DataFrame, day: date | None) -> pl.Series:
    """The services that run on a date; none on no date."""
    return service_dates.filter(pl.col("service_date") == pl.lit(day, pl.Date)).get_column(
        "service_id"
    )


def _weekdays(service_dates: pl.DataFrame) -> pl.DataFrame:
    """One row per Monday to Friday with service: its services as one text."""
    return (
        service_dates.filter(pl.col("service_date").dt.weekday() <= FRIDAY)
        .group_by("service_date")
        .agg(services=pl.col("service_id").sort().str.join(SEPARATOR))
    )


def _typical_date(days: pl.DataFrame, as_of: date) -> date | None:
    """First date of the services that most days have; earlier than `as_of` for lack of others."""
    ahead = days.filter(pl.col("service_date") >= as_of)
    chosen = ahead if ahead.height else days
    counted = chosen.group_by("services").agg(count=pl.len(), first=pl.min("service_date"))
    ordered = counted.sort("count", "first", descending=[True, False])
    typical: date | None = ordered.item(0, "first") if ordered.height else None
    return typical
