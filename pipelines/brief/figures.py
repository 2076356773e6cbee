"""The figures of the brief: each with its interval, what it was a year ago, its mark and date.

Definitions are the marts'; nothing is computed here but the change (`pipelines.brief.change`).
Where there is no figure, or nothing to compare it with, a phrase or the mart's own words say why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from pipelines.brief.cells import Cell, Form, Number, Span, Word, english, number, span
from pipelines.brief.change import Change, Estimate, Verdict, change_between
from pipelines.brief.material import Material

Row = Mapping[str, Any]
# A year back, the register's nearest month end before it; a month has at most 31 days.
MONTH_DAYS = 31
JOBS, JOBS_MINUTES, JOBS_PERCENTILE, ALL_MODES = "jobs", 45, 50, "all"
IN_SERVICE, HEAVY, CITY = "in service", "heavy", "city"


@dataclass(frozen=True)
class YearAgo:
    """What a figure was a year ago and by how much it changed; in points where it is a share."""

    value: Number
    day: date
    change: Change
    later_day: date  # of the figure that was compared: the night, or the last comparable day


@dataclass(frozen=True)
class Figure:
    """One figure: `name` is its key among the phrases (name.*, define.*, answer.*)."""

    name: str
    value: Cell
    mark: str
    as_of: date | None
    interval: Span | None = None
    beside: Cell = None  # the same in another unit
    year_ago: YearAgo | None = None
    why_no_change: Cell = None
    why_none: Cell = None
    rising_is_better: bool = True

    @property
    def verdict(self) -> Verdict:
        """What the change says."""
        if self.year_ago is None:
            return "no_comparison"
        return self.year_ago.change.verdict(rising_is_better=self.rising_is_better)


def figures(material: Material) -> list[Figure]:
    """Every figure that the night has rows for, in the order of the page."""
    return [
        *_reach(material),
        *_jobs(material),
        *_diesel(material),
        *_diesel_km(material),
        *_emissions(material),
        *_diversion(material),
        *_moved(material),
        *_effect(material),
    ]


def _first(rows: pl.DataFrame) -> Row | None:
    return rows.row(0, named=True) if rows.height else None


def _reach(material: Material) -> Iterator[Figure]:
    for table in ("marts.metro_reach", "marts.bus_reach", "marts.rail_reach"):
        rows = material.tonight(table).filter(scope_type=CITY).sort("distance_m", descending=True)
        for row in rows.iter_rows(named=True):
            compared = _reach_year_ago(material, table, row)
            yield Figure(
                table.removeprefix("marts."),
                number(table, row, "reach_share", "share"),
                row["mark"],
                row["service_date"],
                interval=span(table, row, "residents_within", "count"),
                beside=Word(
                    "unit.residents_within",
                    {
                        "count": number(table, row, "residents_within_count", "count"),
                        "distance": Number(row["distance_m"], "count"),
                    },
                ),
                year_ago=compared,
                why_no_change=None if compared else Word("why.no_year_ago_day"),
                why_none=english(row["reason"]),
            )


def _reach_year_ago(material: Material, table: str, row: Row) -> YearAgo | None:
    if material.compared is None:
        return None
    days = (material.compared.earlier_date, material.compared.later_date)
    same = (pl.col("scope_type") == CITY) & (pl.col("distance_m") == row["distance_m"])
    found = [_first(material.on(table, day).filter(same)) for day in days]
    earlier, later = found
    if earlier is None or later is None:
        return None
    if earlier["reach_share"] is None or later["reach_share"] is None:
        return None
    change = change_between(Estimate(earlier["reach_share"]), Estimate(later["reach_share"]))
    return YearAgo(number(table, earlier, "reach_share", "share"), days[0], change, days[1])


def _jobs(material: Material) -> Iterator[Figure]:
    table = "marts.accessibility"
    row = _first(
        material.tonight(table).filter(
            scope_type=CITY,
            mode_set=ALL_MODES,
            opportunity_type=JOBS,
            threshold_minutes=JOBS_MINUTES,
            percentile=JOBS_PERCENTILE,
        )
    )
    if row is not None:
        yield _plain_figure(
            "jobs_reached", table, row, stem="reached", form="count", column="reached_count"
        )


def _diesel(material: Material) -> Iterator[Figure]:
    table = "marts.diesel_burn_down"
    rows = material.tonight(table).filter(status_scope=IN_SERVICE).sort("as_of_date")
    last = _first(rows.tail(1))
    if last is None:
        return
    before = _first(_a_year_before(rows, last["as_of_date"]).tail(1))
    for name, column, rising in (
        ("diesel_share", "diesel_share", False),
        ("clean_share", "clean_share", True),
    ):
        yield Figure(
            name,
            number(table, last, column, "share"),
            last["mark"],
            last["as_of_date"],
            beside=Word(
                "unit.vehicles_of",
                {
                    "count": number(table, last, "diesel_count", "count"),
                    "fleet": number(table, last, "fleet_count", "count"),
                },
            )
            if name == "diesel_share"
            else None,
            year_ago=_share_year_ago(table, before, last, column, "as_of_date"),
            why_no_change=Word("why.no_register_year_ago"),
            why_none=english(last["reason"]),
            rising_is_better=rising,
        )


def _a_year_before(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    a_year_ago = day - timedelta(days=365)
    since = a_year_ago - timedelta(days=MONTH_DAYS)
    return rows.filter(pl.col("as_of_date").is_between(since, a_year_ago))


def _share_year_ago(
    table: str, before: Row | None, now: Row, column: str, day: str
) -> YearAgo | None:
    if before is None or before[column] is None or now[column] is None:
        return None

    def estimate(row: Row) -> Estimate:
        return Estimate(row[column], row.get(f"{column}_low"), row.get(f"{column}_high"))

    change = change_between(estimate(before), estimate(now))
    return YearAgo(number(table, before, column, "share"), before[day], change, now[day])


def _diesel_km(material: Material) -> Iterator[Figure]:
    table = "marts.diesel_vehicle_km"
    row = _first(material.tonight(table).filter(fuel_type="diesel"))
    if row is not None:
        yield Figure(
            "diesel_vehicle_km",
            number(table, row, "vehicle_km_share", "share"),
            row["mark"],
            row["service_date"],
            why_no_change=Word("why.night_alone"),
            why_none=english(row["reason"]),
        )


def _emissions(material: Material) -> Iterator[Figure]:
    table = "marts.bus_emissions"
    fleet = material.tonight(table).filter(
        fleet_case="fleet", boundary="tailpipe", fuel_type="all", emission_class="all"
    )
    for name, pollutant in (("bus_nox", "NOx"), ("bus_pm10", "PM10")):
        row = _first(fleet.filter(pollutant=pollutant))
        if row is not None:
            yield _plain_figure(
                name, table, row, stem="year_tonnes", form="tenths", column="year_tonnes"
            )


def _plain_figure(name: str, table: str, row: Row, *, stem: str, form: Form, column: str) -> Figure:
    """A figure of the night alone, with the interval <stem>_low to <stem>_high."""
    value = number(table, row, column, form)
    return Figure(
        name,
        None if value.value is None else value,
        row["mark"],
        row["service_date"],
        interval=span(table, row, stem, form),
        why_no_change=Word("why.night_alone"),
        why_none=english(row["reason"]),
    )


def diversion_rows(material: Material) -> pl.DataFrame:
    """The ring road's months of heavy vehicles, in order."""
    rows = material.tonight("marts.ring_road_diversion").filter(vehicle_class=HEAVY)
    return rows.sort("month_date")


def _diversion(material: Material) -> Iterator[Figure]:
    table = "marts.ring_road_diversion"
    months = diversion_rows(material)
    told = months.filter(pl.col("diversion_share").is_not_null())
    row = _first(told.tail(1)) or _first(months.tail(1))
    if row is None:
        return
    month = row["month_date"]
    before = _first(told.filter(month_date=month.replace(year=month.year - 1)))
    yield Figure(
        "diversion",
        number(table, row, "diversion_share", "share"),
        row["mark"],
        month,
        interval=span(table, row, "diversion_share", "share"),
        beside=Word(
            "unit.counted_days", {"days": number(table, row, "passage_day_count", "count")}
        ),
        year_ago=_share_year_ago(table, before, row, "diversion_share", "month_date"),
        why_no_change=Word("why.no_month_year_ago"),
        why_none=english(row["reason"]),
    )


def _moved(material: Material) -> Iterator[Figure]:
    table = "marts.ring_road_moved"
    rows = material.tonight(table).filter(vehicle_class=HEAVY).sort("month_date")
    row = _first(rows.tail(1))
    if row is not None:
        yield Figure(
            "city_km_avoided",
            number(table, row, "city_km_avoided_per_day", "count"),
            row["mark"],
            row["month_date"],
            interval=span(table, row, "city_km_avoided_per_day", "count"),
            why_no_change=Word("why.no_month_year_ago"),
            why_none=english(row["reason"]),
        )


def first_event(material: Material) -> pl.DataFrame:
    """The effect of the city's first event on all screenlines together, one row per class."""
    rows = material.tonight("marts.ring_road_effect").filter(place_kind="role group")
    return rows.filter(pl.col("event_first_date") == pl.col("event_first_date").min())


def _effect(material: Material) -> Iterator[Figure]:
    table = "marts.ring_road_effect"
    row = _first(first_event(material).filter(vehicle_class=HEAVY))
    if row is None:
        return
    yield Figure(
        "effect",
        as_change(number(table, row, "ratio", "change")),
        row["mark"],
        row["event_first_date"],
        interval=change_span(row, "ratio"),
        why_no_change=Word("why.is_a_change", {"day": row["event_first_date"]}),
        why_none=english(row["reason"]),
    )


def as_change(ratio: Number) -> Number:
    """A ratio as the change that it stands for: 0.53 is -47 %."""
    return Number(None if ratio.value is None else ratio.value - 1, "change", ratio.address)


def change_span(row: Row, stem: str) -> Span | None:
    """The interval of a ratio as changes."""
    found = span("marts.ring_road_effect", row, stem, "change")
    return found and Span(as_change(found.low), as_change(found.high))
