"""gtfs-kit cleans and describes a feed by its small tables; the large ones stay with Polars.

*Cleaned*: gtfs-kit's cleaners (`clean_ids`, `clean_route_short_names`, `drop_zombies`) run over a
copy of the small tables and of the pairs (trip, stop) that stop_times holds. Staging holds a feed
as it was delivered, and ids must go on meeting those in stop_times and in real time, so what the
cleaners would change is told in notices and only one change is made: a `parent_station` that is
no stop is emptied (by Polars: gtfs-kit's own way takes minutes on a national feed).

*Described*: agencies, dates of service, sizes, the trips of a sample weekday (`Feed.describe`) and
the unit of `shape_dist_traveled` (`infer_dist_units`, recorded against geodesic lengths).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from pipelines.sources.gtfs.notices import notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

INTEGER_COLUMNS = (
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "exception_type",
    "location_type",
    "route_type",
)
# gtfs-kit's cleaners and description read these columns without asking whether they are there.
EXPECTED_COLUMNS = {
    "agency": ("agency_id", "agency_name", "agency_timezone"),
    "stops": ("stop_id", "location_type"),
    "routes": ("route_id", "agency_id", "route_short_name"),
    "trips": ("route_id", "service_id", "trip_id", "shape_id"),
    "calendar": ("service_id", *INTEGER_COLUMNS[:7], "start_date", "end_date"),
    "calendar_dates": ("service_id", "date", "exception_type"),
}
# infer_dist_units looks at ten usable shapes; a few more allow for some that are not.
SHAPES_MEASURED = 40

ZOMBIES = (
    ("agency", "agency_id", "agencies without routes"),
    ("stops", "stop_id", "stops without stop times"),
    ("routes", "route_id", "routes without trips"),
    ("trips", "trip_id", "trips without stop times"),
    ("shapes", "shape_id", "shapes without trips"),
    ("calendar", "service_id", "services without trips"),
    ("calendar_dates", "service_id", "services without trips"),
)


def clean_feed(
    raw: Mapping[str, pl.DataFrame],
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The raw frames with undefined parent stations emptied, and notices of what looks odd."""
    feed = _small_feed(raw)
    cleaned = feed.drop_zombies()
    notices = [_zombies(feed, cleaned, *row) for row in ZOMBIES]
    notices.append(_ids_with_blanks(feed))
    notices.append(_unclear_short_names(feed))
    stops = raw["stops"]
    if "parent_station" not in stops.columns:
        return dict(raw), pl.concat(notices)
    undefined = ~pl.col("parent_station").is_in(stops.get_column("stop_id").implode())
    orphans = stops.filter(undefined)
    notices.append(
        notice(
            "parent_station_undefined",
            "stops",
            orphans.get_column("stop_id").to_list(),
            "The parent station is no stop of the feed; the stop is kept without it.",
        )
    )
    parent = pl.when(~undefined).then(pl.col("parent_station"))
    return {**raw, "stops": stops.with_columns(parent)}, pl.concat(notices)


def describe_feed(raw: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row about the feed: gtfs-kit's description, its feed_info, its sizes as delivered."""
    feed = _small_feed(raw)
    dates = feed.get_dates()
    told: dict[str, Any] = {}
    if dates and raw["agency"].height:
        told = dict(feed.describe().itertuples(index=False, name=None))
    info = raw["feed_info"].head(1)
    feed_info = info.row(0, named=True) if info.height else {}
    return pl.DataFrame(
        {
            "agency_names": "; ".join(str(name) for name in told.get("agencies", [])) or None,
            "agency_timezone": told.get("timezone"),
            "service_start_date": told.get("start_date"),
            "service_end_date": told.get("end_date"),
            "agency_count": raw["agency"].height,
            "route_count": raw["routes"].height,
            "stop_count": raw["stops"].height,
            "trip_count": raw["trips"].height,
            "stop_time_count": raw["stop_times"].height,
            "shape_count": told.get("num_shapes", 0),
            "frequency_count": raw["frequencies"].height,
            "has_frequencies": raw["frequencies"].height > 0,
            "distance_unit": _distance_unit(raw["shapes"]),
            "sample_date": told.get("sample_date"),
            "sample_route_count": told.get("num_routes_active_on_sample_date"),
            "sample_trip_count": told.get("num_trips_active_on_sample_date"),
            "sample_stop_count": told.get("num_stops_active_on_sample_date"),
            **{
                column: feed_info.get(column)
                for column in (
                    "feed_publisher_name",
                    "feed_publisher_url",
                    "feed_lang",
                    "feed_start_date",
                    "feed_end_date",
                    "feed_version",
                )
            },
        }
    )


def _small_feed(raw: Mapping[str, pl.DataFrame]) -> Any:  # gtfs-kit has no types
    """A gtfs-kit feed of the small tables; its stop_times are the pairs (trip, stop)."""
    from gtfs_kit import Feed

    tables = {name: _expected(name, raw[name]) for name in EXPECTED_COLUMNS}
    tables["calendar"] = tables["calendar"].filter(_is_date("start_date") & _is_date("end_date"))
    tables["calendar_dates"] = tables["calendar_dates"].filter(_is_date("date"))
    tables["shapes"] = raw["shapes"].select(pl.col("shape_id").unique(maintain_order=True))
    pairs = raw["stop_times"].lazy().select("trip_id", "stop_id").unique(maintain_order=True)
    tables["stop_times"] = pairs.collect()
    return Feed(dist_units="km", **{name: _to_pandas(table) for name, table in tables.items()})


def _expected(name: str, table: pl.DataFrame) -> pl.DataFrame:
    columns = []
    for column in EXPECTED_COLUMNS[name]:
        value = pl.col(column) if column in table.columns else pl.lit(None, pl.String)
        if column in INTEGER_COLUMNS:
            value = value.cast(pl.Int64, strict=False).fill_null(0)
        columns.append(value.alias(column))
    return table.select(columns) if table.height else table.clear().select(columns).clear()


def _is_date(column: str) -> pl.Expr:
    is_eight_digits = pl.col(column).str.contains(r"^\d{8}$")
    return is_eight_digits & pl.col(column).str.to_date("%Y%m%d", strict=False).is_not_null()


def _to_pandas(table: pl.DataFrame) -> pd.DataFrame:
    return table.to_pandas()


def _zombies(feed: Any, cleaned: Any, table: str, key: str, what: str) -> pl.DataFrame:
    before, after = getattr(feed, table), getattr(cleaned, table)
    dropped = before.loc[~before[key].isin(after[key]), key].dropna().unique().tolist()
    code = what.replace(" ", "_")
    return notice(code, table, sorted(dropped), f"{what.capitalize()}; kept as delivered.")


def _ids_with_blanks(feed: Any) -> pl.DataFrame:
    changed: list[str] = []
    cleaned = feed.clean_ids()
    for table, key, _ in ZOMBIES[:5]:
        ids = getattr(feed, table)[key].dropna()
        changed.extend(ids[ids != getattr(cleaned, table)[key].dropna()].tolist())
    return notice(
        "ids_with_blanks", "feed", sorted(changed), "Identifiers hold blanks; kept as delivered."
    )


def _unclear_short_names(feed: Any) -> pl.DataFrame:
    before = feed.routes["route_short_name"].fillna("")
    after = feed.clean_route_short_names().routes["route_short_name"]
    changed = feed.routes.loc[before != after, "route_id"].tolist()
    return notice(
        "route_short_names_unclear",
        "routes",
        sorted(changed),
        "Routes without a short name, or with one that other routes have; kept as delivered.",
    )


def _distance_unit(shapes: pl.DataFrame) -> str:
    """Unit of shape_dist_traveled by gtfs-kit's rule; km where the feed gives no distances."""
    from gtfs_kit.shapes import infer_dist_units

    if "shape_dist_traveled" not in shapes.columns:
        return "km"
    numbers = ("shape_pt_lat", "shape_pt_lon", "shape_pt_sequence", "shape_dist_traveled")
    points = shapes.select(
        "shape_id", *(pl.col(column).cast(pl.Float64, strict=False) for column in numbers)
    )
    measured = points.filter(pl.col("shape_dist_traveled") > 0).get_column("shape_id")
    chosen = measured.unique(maintain_order=True).head(SHAPES_MEASURED)
    return str(
        infer_dist_units(_to_pandas(points.filter(pl.col("shape_id").is_in(chosen.implode()))))
    )
