"""The tables of the brief: under every chart and map, and those that stand by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
from markupsafe import Markup

from pipelines.brief.cells import (
    Cell,
    Form,
    Named,
    Table,
    Text,
    Word,
    english,
    number,
    plain,
    span,
    web_address,
)
from pipelines.brief.charts import OTHER_ESTIMATORS
from pipelines.brief.figures import as_change, change_span
from pipelines.brief.material import REACH, Material
from pipelines.brief.words import label

Row = Mapping[str, Any]


def districts(material: Material) -> Table:
    """Residents and reach by district, one row each."""
    names = {row["district_id"]: row for row in material.districts.to_dicts()}
    reach = {
        table: {
            row["scope_id"]: row
            for row in material.tonight(table).filter(scope_type="district").to_dicts()
        }
        for table in REACH
    }
    ids = sorted({scope for rows in reach.values() for scope in rows})
    rows: list[list[Cell]] = []
    for district_id in ids:
        found = [(table, reach[table].get(district_id)) for table in REACH]
        table, first = next((table, row) for table, row in found if row is not None)
        rows.append(
            [
                district_name(names.get(district_id), str(first["scope_name"])),
                number(table, first, "residents_count", "count"),
                *(
                    None if row is None else number(table, row, "reach_share", "share")
                    for table, row in found
                ),
            ]
        )
    headers = ("head.district", "head.residents", *(f"head.{t.split('.')[1]}" for t in REACH))
    return Table("table.districts", headers, rows, frozenset({1, 2, 3, 4}))


def district_name(row: Row | None, name: str) -> Named:
    """A district's name in three languages, as far as its register has them."""
    if row is None:
        return Named(name, name, name)
    return Named(row["name_kk"] or name, row["name_ru"] or name, name)


def burn_down(months: pl.DataFrame) -> Table:
    """The fleet month by month, the latest first."""
    table = "marts.diesel_burn_down"
    rows = [
        [
            row["as_of_date"],
            number(table, row, "diesel_count", "count"),
            number(table, row, "fleet_count", "count"),
            number(table, row, "diesel_share", "share"),
            number(table, row, "clean_share", "share"),
        ]
        for row in months.sort("as_of_date", descending=True).to_dicts()
    ]
    headers = ("head.day", "head.diesel", "head.fleet", "head.diesel_share", "head.clean_share")
    return Table("table.burn_down", headers, rows, frozenset({1, 2, 3, 4}))


def forecasts(rows: pl.DataFrame) -> Table:
    """What each method forecasts."""
    table = "marts.diesel_forecast"
    cells = [
        [
            label("forecast", row["forecast_method"]),
            number(table, row, "count_3_months", "count"),
            span(table, row, "count_3_months", "count"),
            number(table, row, "count_12_months", "count"),
            span(table, row, "count_12_months", "count"),
            _date_range(row),
            english(row["reason"]),
        ]
        for row in rows.sort("forecast_method").to_dicts()
    ]
    headers = (
        *("head.method", "head.in_3_months", "head.interval", "head.in_12_months"),
        *("head.interval", "head.zero_date", "head.why"),
    )
    return Table("table.forecasts", headers, cells, frozenset({1, 2, 3, 4}), frozenset({6}))


def _date_range(row: Row) -> Cell:
    day: date | None = row["zero_date"]
    low, high = row["zero_date_low"], row["zero_date_high"]
    if day is None or low is None or high is None:
        return day
    return Word("unit.day_range", {"day": day, "low": low, "high": high})


def numbered_targets(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The announced targets by deadline, numbered from 1."""
    ordered = rows.sort("deadline_date", "target_id").to_dicts()
    return [{**row, "number": place} for place, row in enumerate(ordered, start=1)]


def targets(rows: Sequence[Row]) -> Table:
    """Every announced target, what was published of it and what we measure."""
    table = "marts.commitment_targets"
    cells: list[list[Cell]] = []
    for row in rows:
        form: Form = "share" if row["unit"] == "share" else "count"
        cells.append(
            [
                Text(str(row["number"])),
                row["announced_date"] or english(row["announced_text"]),
                [
                    Text(row["statement"], lang="en", link=web_address(row["source_address"])),
                    Markup('<small class="by">{}</small>').format(plain(row["source_name"] or "")),
                ],
                [
                    label("compare", row["target_comparison"]),
                    number(table, row, "target_value", form),
                ],
                row["deadline_date"],
                number(table, row, "published_value", form),
                number(table, row, "measured_value", form),
                status("outcome", row["outcome"]),
            ]
        )
    headers = (
        *("head.number", "head.announced", "head.statement", "head.target", "head.deadline"),
        *("head.published_then", "head.measured_then", "head.outcome"),
    )
    return Table("table.targets", headers, cells, frozenset({5, 6}), frozenset({2}))


def diversion(months: pl.DataFrame) -> Table:
    """The ring road's share month by month, the latest first."""
    table = "marts.ring_road_diversion"
    rows = [
        [
            Text(row["month_date"].strftime("%Y-%m")),
            number(table, row, "diversion_share", "share"),
            span(table, row, "diversion_share", "share"),
            number(table, row, "passage_day_count", "count"),
            label("mark", row["mark"]),
            english(row["reason"] or row["warning"]),
        ]
        for row in months.sort("month_date", descending=True).to_dicts()
    ]
    headers = (
        *("head.month", "head.diversion", "head.interval", "head.counted_days"),
        *("head.mark", "head.why"),
    )
    return Table("table.diversion", headers, rows, frozenset({1, 2, 3}))


def effect(rows: pl.DataFrame, *, place: bool) -> Table:
    """The effect of events: of role groups by class, or by `place`, with placebo and reasons."""
    table = "marts.ring_road_effect"
    order = ["event_first_date", "event_id", "place_role", "place_id", "vehicle_class"]
    cells: list[list[Cell]] = []
    for row in rows.sort(order).to_dicts():
        where: list[Cell] = [
            [Text(row["place_id"]), Text(row["road_name"]) if row["road_name"] else None]
        ]
        cells.append(
            [
                *(where if place else [label("class", row["vehicle_class"])]),
                Text(row["event_name"] or row["event_id"], lang="en"),
                as_change(number(table, row, "ratio", "change")),
                change_span(row, "ratio"),
                number(table, row, "p_value_adjusted", "thousandths"),
                *([] if place else _placebos(row)),
                english(row["reason"]),
            ]
        )
    placebo = () if place else ("head.others", "head.placebo_dates", "head.placebo_stations")
    headers = (
        *("head.place" if place else "head.class", "head.event", "head.effect"),
        *("head.interval", "head.p_value", *placebo, "head.why"),
    )
    caption = "table.effect_places" if place else "table.effect"
    return Table(caption, headers, cells, frozenset({2, 3, 4} if place else {2, 3, 4, 5, 6, 7}))


def _placebos(row: Row) -> Iterator[Cell]:
    table = "marts.ring_road_effect"
    yield [as_change(number(table, row, name, "change")) for name in OTHER_ESTIMATORS]
    yield number(table, row, "placebo_date_errors", "tenths")
    yield number(table, row, "claiming_placebo_count", "count")


def levels(rows: Sequence[Row]) -> Table:
    """Published levels beside ours."""
    table = "marts.ring_road_levels"
    cells: list[list[Cell]] = []
    for place, row in enumerate(rows, start=1):
        share = row["published_vehicles_per_day"] is None
        form: Form = "share" if share else "count"
        column = "published_share" if share else "published_vehicles_per_day"
        cells.append(
            [
                Text(f"{place}. {row['place_name']}"),
                Text(row["what"], lang="en", link=web_address(row["source_address"])),
                _period(row),
                [
                    label("qualifier", row["published_qualifier"])
                    if row["published_qualifier"]
                    else None,
                    number(table, row, column, form),
                ],
                number(table, row, "vehicles_per_day", "count"),
                label("mark", row["mark"]),
                english(row["reason"]),
            ]
        )
    headers = (
        *("head.place", "head.what", "head.period", "head.published", "head.ours"),
        *("head.mark", "head.why"),
    )
    return Table("table.levels", headers, cells, frozenset({3, 4}), frozenset({1, 6}))


def _period(row: Row) -> Cell:
    if row["period_from_date"] is None:
        return None
    return Word("unit.period", {"first": row["period_from_date"], "last": row["period_to_date"]})


def commitments(rows: pl.DataFrame) -> Table:
    """Every commitment with its status."""
    table = "marts.commitments_status"
    cells: list[list[Cell]] = []
    for row in rows.sort("rank").to_dicts():
        form: Form = "share" if row["measured_unit"] == "share" else "count"
        unit = None if form == "share" else english(row["measured_unit"])
        target: Cell = english(row["target_text"])
        if row["target_value"] is not None and target is None:
            target = [
                label("compare", row["target_comparison"]),
                number(table, row, "target_value", form),
            ]
        has_value = row["measured_value"] is not None
        cells.append(
            [
                [
                    Text(row["sentence"], lang="en"),
                    Markup('<small class="by">{}</small>').format(plain(row["source_name"])),
                ],
                status("status", row["status"]),
                Text(row["indicator"], lang="en"),
                [number(table, row, "measured_value", form), unit] if has_value else None,
                span(table, row, "measured", form),
                target,
                row["deadline_date"],
                label("mark", row["mark"]),
                english(row["reason"]),
            ]
        )
    headers = (
        *("head.commitment", "head.status", "head.indicator", "head.value", "head.interval"),
        *("head.target", "head.deadline", "head.mark", "head.why"),
    )
    return Table("table.commitments", headers, cells, frozenset({3, 4}), frozenset({0, 2, 8}))


def status(group: str, word: str) -> Markup:
    """A status as a badge: its word, and a sign that tells it without colour."""
    signs = {"met": "✓", "on track": "→", "behind": "↓", "overdue": "✕", "missed": "✕"}
    name = word.replace(" ", "-")
    return Markup('<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>').format(
        name, signs.get(word, "·"), label(group, word)
    )
