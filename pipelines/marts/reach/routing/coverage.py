"""What a router can say at all: which feeds ride in the window, and whether people get to them.

A feed that does not ride is legitimate (Sundays): its figures are null, for a reason that names the
feed. A trip that rides within the extent of the cells, and that nobody can board and leave again
because no cell and no other stop is linked to any of its stops, or because of stops without a place
or a door, is a fault of stops, streets or pathways: an error, since its figures would silently be
those of walking. A trip that leaves the extent goes farther than the cells do, which is no fault;
nor is one that some cell is linked to, while nobody lives where it goes.

Left out: whether a linked trip is the fastest way for anyone.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from pipelines.errors import ContractError, sample_text
from pipelines.marts.reach.routing.feeds import FEED, Feeds
from pipelines.marts.reach.routing.timetable import Timetable

SAID = {"no place": "no coordinates", "no door": "pathways that lead to no entrance"}


def services(feeds: Feeds, timetable: Timetable) -> pl.DataFrame:
    """One row per feed version: source_id, version_id, trip_count that ride, reason if none do."""
    riding = pl.concat([timetable.runs.select("trip"), timetable.spans.select("trip")]).unique()
    counts = (
        timetable.trips.join(riding, on="trip", how="semi").group_by(FEED).agg(trip_count=pl.len())
    )
    dates = feeds.service_dates.group_by(FEED).agg(
        first=pl.min("service_date"),
        last=pl.max("service_date"),
        is_on=(pl.col("service_date") == timetable.service_date).any(),
    )
    rows = feeds.feed_versions.select(FEED).join(counts, on=FEED, how="left")
    told = (
        rows.join(dates, on=FEED, how="left")
        .sort(FEED)
        .with_columns(pl.col("trip_count").fill_null(0))
    )
    reasons = [
        None if row["trip_count"] else _reason(row["source_id"], timetable.service_date, row)
        for row in told.iter_rows(named=True)
    ]
    return told.select(*FEED, "trip_count", reason=pl.Series(reasons, dtype=pl.String))


def _reason(source_id: str, day: date, dates: dict[str, object]) -> str:
    if dates["first"] is None:
        return f"feed '{source_id}' has no dates of service"
    if dates["is_on"]:
        return f"feed '{source_id}' has no such trips in the window on {day}"
    return (
        f"feed '{source_id}' has no service on {day} "
        f"(its dates are {dates['first']} to {dates['last']})"
    )


def require_links(
    timetable: Timetable,
    doors: pl.DataFrame,
    *,
    access: pl.DataFrame,
    egress: pl.DataFrame,
    foot: pl.DataFrame,
    cells: pl.DataFrame,
) -> None:
    """ContractError, with the reason, where trips ride that no cell and no other stop leads to.

    `doors` are those of `Doors`, `access` and `egress` walks as cell, place, seconds, `foot` those
    between places; `cells` have latitude and longitude. For travellers with steps: without, a stop
    may well be out of reach.
    """
    apart = foot.filter(pl.col("from_place") != pl.col("to_place"))
    into = pl.concat([access.select("place"), apart.select(place="to_place")]).unique()
    out = pl.concat([egress.select("place"), apart.select(place="from_place")]).unique()
    places = _judged(timetable.places, doors, cells)
    riding = pl.concat([timetable.runs.select("trip"), timetable.spans.select("trip")]).unique()
    calls = (
        timetable.calls.join(riding, on="trip", how="semi", maintain_order="left")
        .join(into.with_columns(is_in=True), on="place", how="left", maintain_order="left")
        .join(out.with_columns(is_out=True), on="place", how="left", maintain_order="left")
        .join(places, on="place", maintain_order="left")
    )
    boards = pl.col("can_board") & pl.col("is_in").fill_null(value=False)
    leaves = pl.col("can_alight") & pl.col("is_out").fill_null(value=False)
    number = pl.int_range(pl.len())
    unused = (
        calls.group_by("trip")
        .agg(
            first=number.filter(boards).min(),
            last=number.filter(leaves).max(),
            is_within=pl.col("is_within").all(),
            is_linked=pl.any_horizontal("is_in", "is_out").fill_null(value=False).any(),
            fault=pl.col("fault").drop_nulls().mode().sort().first(),
        )
        .filter((pl.col("first") < pl.col("last")).fill_null(value=False).not_(), "is_within")
        .filter(~pl.col("is_linked") | pl.col("fault").is_not_null())
        .join(timetable.trips, on="trip")
        .sort("trip")
    )
    if unused.is_empty():
        return
    faults = sorted(set(unused["fault"].fill_null("no walk to any cell or other stop")))
    raise ContractError(
        f"{unused.height} trips ride on {timetable.service_date} that no result can use: "
        f"{sample_text(unused['trip_id'].to_list())} of "
        f"{sample_text(sorted(set(unused['source_id'])))}; their stops have {', '.join(faults)}.",
        "Look at the stops' coordinates, the streets beside them and pathways.txt.",
    )


def _judged(places: pl.DataFrame, doors: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Places: whether each lies within the cells' extent, and what is wrong with it."""
    has_door = pl.col("place").is_in(doors["place"].unique().implode())
    is_placed = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
    within = pl.all_horizontal(
        pl.col(name).is_between(cells[name].min(), cells[name].max())
        for name in ("latitude", "longitude")
    )
    fault = pl.when(~is_placed & ~has_door).then(pl.lit(SAID["no place"])).when(~has_door)
    return places.select(
        "place",
        is_within=within.fill_null(value=True),
        fault=fault.then(pl.lit(SAID["no door"])),
    )
