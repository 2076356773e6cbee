"""The charts of the brief: what is drawn, row by row as its table has it.

Diesel vehicles and clean shares with every announced target and the forecast's fan; the ring road's
share by month; its effect beside what placebos show; published levels beside ours. A chart without
rows is none. Colour is never alone: ours is filled and round, what was published or a placebo is
hollow and square, a forecast is dashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from math import ceil, log
from typing import Any

import altair as alt
import polars as pl
from markupsafe import Markup

from pipelines.brief.cells import plain
from pipelines.brief.svg import draw, label

Row = Mapping[str, Any]
OURS, THEIRS, THIRD = "var(--ours)", "var(--theirs)", "var(--third)"
_BAND = "var(--band)"
_PERCENT = "replace(format(datum.value * 100, '.0f'), '-', '\u2212') + ' %'"
_THOUSANDS = "replace(format(datum.value, ','), /,/g, '\u202f')"
_LONGEST_LABEL = 24
FAN_DAYS = (("count_3_months", 91), ("count_12_months", 365))
OTHER_ESTIMATORS = ("did_ratio", "synthetic_control_ratio", "interrupted_ratio")


def burn_down(months: pl.DataFrame, forecasts: pl.DataFrame, targets: Sequence[Row]) -> Markup:
    """Diesel vehicles by month, the forecasts of twelve months on, and targets in vehicles."""
    line = _points(months, "diesel_count")
    if not line:
        return Markup("")
    start = line[-1]
    fans = [
        {**point, "method": row["forecast_method"]}
        for row in forecasts.iter_rows(named=True)
        for point in _fan(row, start, months.get_column("as_of_date").max())
    ]
    marks = [_target(row) for row in targets]
    top = max(point["value"] for point in [*line, *fans, *marks])
    scale = alt.Scale(domain=[0, max(top * 1.08, 1)])
    y = alt.Y(
        "value:Q",
        scale=scale,
        axis=alt.Axis(labelExpr=_THOUSANDS, tickCount=5, grid=True, domain=False, ticks=False),
    )
    x = _years([*line, *fans, *marks])
    layers = [
        alt.Chart(_data(fans))
        .mark_area(color=_BAND)
        .encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", detail="method:N"),
        alt.Chart(_data(fans))
        .mark_line(color=OURS, strokeDash=[4, 4], strokeWidth=1.5)
        .encode(x=x, y=y, detail="method:N"),
        alt.Chart(_data(line)).mark_line(color=OURS, strokeWidth=2.5).encode(x=x, y=y),
        *_targets(marks, x, y),
    ]
    return draw(layers, name="burn-down", height=260, left=56)


def clean_share(months: pl.DataFrame, targets: Sequence[Row]) -> Markup:
    """The share of vehicles on gas or electricity by month, and targets as shares."""
    line = _points(months, "clean_share")
    if not line:
        return Markup("")
    marks = [_target(row) for row in targets]
    x, y = _years([*line, *marks]), _share_axis()
    layers = [
        alt.Chart(_data(line)).mark_line(color=OURS, strokeWidth=2.5).encode(x=x, y=y),
        *_targets(marks, x, y),
    ]
    return draw(layers, name="clean-share", height=260, left=56)


def diversion(months: pl.DataFrame) -> Markup:
    """The share of heavy through traffic on the ring road by month, with its interval."""
    rows = [
        {
            "month": row["month_date"].strftime("%Y-%m"),
            "value": row["diversion_share"],
            "low": row["diversion_share_low"],
            "high": row["diversion_share_high"],
        }
        for row in months.iter_rows(named=True)
    ]
    if not any(row["value"] is not None for row in rows):
        return Markup("")
    names = [row["month"] for row in rows]
    x = alt.X(
        "month:O",
        scale=alt.Scale(domain=names),
        axis=alt.Axis(values=names[:: ceil(len(names) / 5)], labelAngle=0, grid=False),
    )
    base = alt.Chart(_data([row for row in rows if row["value"] is not None]))
    layers = [
        base.mark_rule(color=OURS, strokeWidth=2).encode(x=x, y=_share_axis("low"), y2="high:Q"),
        base.mark_line(color=OURS, strokeWidth=1.5).encode(x=x, y=_share_axis()),
        base.mark_point(color=OURS, fill=OURS, size=45, opacity=1).encode(x=x, y=_share_axis()),
    ]
    return draw(layers, name="diversion", height=240, left=56)


def effect(rows: pl.DataFrame) -> Markup:
    """What the first event changed at all screenlines, by class: ours, and by other estimators."""
    told = [
        {
            "class": label(f"class.{row['vehicle_class']}"),
            "value": row["ratio"] - 1,
            "low": row["ratio_low"] - 1,
            "high": row["ratio_high"] - 1,
            "others": [row[name] - 1 for name in OTHER_ESTIMATORS if row[name] is not None],
        }
        for row in rows.iter_rows(named=True)
        if row["ratio"] is not None
    ]
    if not told:
        return Markup("")
    others = [{"class": row["class"], "value": one} for row in told for one in row["others"]]
    ends = [0.0, *(row[end] for row in told for end in ("low", "high"))]
    ends += [row["value"] for row in others]
    scale = alt.Scale(domain=[min(ends) - 0.04, max(ends) + 0.04])
    x = alt.X(
        "value:Q",
        scale=scale,
        axis=alt.Axis(labelExpr=_PERCENT, tickCount=4, grid=True, domain=False, ticks=False),
    )
    y = _rows([row["class"] for row in told])
    zero = alt.Chart(_data([{"value": 0}])).mark_rule(color="var(--line-strong)").encode(x=x)
    base = alt.Chart(_data(told))
    layers = [
        zero,
        alt.Chart(_data(others))
        .mark_point(shape="square", color=THEIRS, size=170, opacity=1)
        .encode(x=x, y=y),
        base.mark_rule(color=OURS, strokeWidth=3).encode(
            x=alt.X("low:Q", scale=scale), x2="high:Q", y=y
        ),
        base.mark_point(color=OURS, fill=OURS, size=60, opacity=1).encode(x=x, y=y),
    ]
    return draw(layers, name="effect", height=44 * len(told), left=96)


def placebo(rows: pl.DataFrame) -> Markup:
    """The effect in standard errors, beside the largest at dates on which nothing happened."""
    told = [
        {
            "class": label(f"class.{row['vehicle_class']}"),
            "value": abs(log(row["ratio"])) / row["standard_error"],
            "placebo": row["placebo_date_errors"],
        }
        for row in rows.iter_rows(named=True)
        if row["ratio"] and row["standard_error"] and row["placebo_date_errors"] is not None
    ]
    if not told:
        return Markup("")
    top = max(max(row["value"], row["placebo"]) for row in told)
    scale = alt.Scale(type="sqrt", domain=[0, max(top * 1.1, 4)])
    ticks = [tick for tick in (0, 1, 4, 16, 36, 100, 225, 400, 900) if tick <= top * 1.1]
    axis = alt.Axis(values=ticks or [0], format="d", grid=True, domain=False, ticks=False)
    y = _rows([row["class"] for row in told])
    base = alt.Chart(_data(told))
    layers = [
        base.mark_point(color=OURS, fill=OURS, size=60, opacity=1).encode(
            x=alt.X("value:Q", scale=scale, axis=axis), y=y
        ),
        base.mark_point(shape="square", color=THEIRS, size=60, opacity=1).encode(
            x=alt.X("placebo:Q", scale=scale, axis=axis), y=y
        ),
    ]
    return draw(layers, name="placebo", height=44 * len(told), left=96)


def levels(rows: Sequence[Row]) -> Markup:
    """Published vehicles a day beside ours, numbered as in the table."""
    told = [
        {
            "place": f"{place}. {_short(row['place_name'])}",
            "published": row["published_vehicles_per_day"],
            "value": row["vehicles_per_day"],
        }
        for place, row in enumerate(rows, start=1)
        if row["published_vehicles_per_day"] is not None
    ]
    if not told:
        return Markup("")
    top = max(one for row in told for one in (row["published"], row["value"]) if one is not None)
    scale = alt.Scale(domain=[0, top * 1.05])
    axis = alt.Axis(labelExpr=_THOUSANDS, tickCount=3, grid=True, domain=False, ticks=False)
    y = _rows([row["place"] for row in told], "place")
    layers = [
        alt.Chart(_data([row for row in told if row["value"] is not None]))
        .mark_point(color=OURS, fill=OURS, size=60, opacity=1)
        .encode(x=alt.X("value:Q", scale=scale, axis=axis), y=y),
        alt.Chart(_data(told))
        .mark_point(shape="square", color=THEIRS, size=130, strokeWidth=2, opacity=1)
        .encode(x=alt.X("published:Q", scale=scale, axis=axis), y=y),
    ]
    return draw(layers, name="levels", height=34 * len(told), left=190)


def _data(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=[dict(row) for row in rows])


def _year(day: date) -> float:
    """A date as a number of years: 2026.5 is the middle of 2026."""
    days = (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
    return round(day.year + (day.timetuple().tm_yday - 1) / days, 4)


def _points(months: pl.DataFrame, column: str) -> list[dict[str, float]]:
    return [
        {"year": _year(day), "value": value}
        for day, value in months.select("as_of_date", column).drop_nulls().iter_rows()
    ]


def _fan(row: Row, start: Row, day: Any) -> list[dict[str, float]]:
    """From the last count to what is forecast, where anything is."""
    told = [(name, days) for name, days in FAN_DAYS if row[name] is not None]
    if not told:
        return []
    first = {"year": start["year"], "value": start["value"]}
    return [
        {**first, "low": start["value"], "high": start["value"]},
        *(
            {
                "year": _year(day + timedelta(days=days)),
                "value": row[name],
                "low": _or(row[f"{name}_low"], row[name]),
                "high": _or(row[f"{name}_high"], row[name]),
            }
            for name, days in told
        ),
    ]


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _target(row: Row) -> dict[str, Any]:
    return {
        "year": _year(row["deadline_date"]),
        "value": row["target_value"],
        "number": str(row["number"]),
    }


def _targets(marks: Sequence[Row], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    base = alt.Chart(_data(marks)).encode(x=x, y=y)
    return [
        base.mark_point(shape="square", color=THEIRS, size=90, strokeWidth=2, opacity=1),
        base.mark_text(dy=-14, color="var(--ink)", fontSize=13, fontWeight="bold").encode(
            text="number:N"
        ),
    ]


def _years(points: Sequence[Row]) -> alt.X:
    first = int(min(point["year"] for point in points))
    last = max(point["year"] for point in points) + 0.3
    step = max(1, round((last - first) / 7))
    return alt.X(
        "year:Q",
        scale=alt.Scale(domain=[first, last], nice=False),
        axis=alt.Axis(values=list(range(first, int(last) + 1, step)), format="d", grid=False),
    )


def _share_axis(column: str = "value") -> alt.Y:
    return alt.Y(
        f"{column}:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(
            labelExpr=_PERCENT,
            values=[0, 0.2, 0.4, 0.6, 0.8, 1],
            grid=True,
            domain=False,
            ticks=False,
        ),
    )


def _rows(names: Sequence[str], column: str = "class") -> alt.Y:
    return alt.Y(
        f"{column}:N",
        scale=alt.Scale(domain=list(names)),
        axis=alt.Axis(domain=False, ticks=False, grid=False, labelPadding=10),
    )


def _short(text: str) -> str:
    line = plain(text)
    return line if len(line) <= _LONGEST_LABEL else line[: _LONGEST_LABEL - 1] + "…"
