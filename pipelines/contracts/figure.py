"""What every figure carries: date, scope of day and window, method, mark, and why it is null."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.night import DAY_TYPES, MARKS, WHOLE_DAY, Night


def one_of(
    *allowed: str, nullable: bool = False, primary_key: bool = False, description: str
) -> dy.String:
    """A text column that takes only the named words."""
    return dy.String(
        nullable=nullable,
        primary_key=primary_key,
        check=lambda column: column.is_in(list(allowed)),
        metadata={"allowed": list(allowed)},
        description=description,
    )


def share(description: str) -> dy.Float64:
    """A share from 0 to 1, null where a reason says why."""
    return dy.Float64(
        nullable=True, min=0, max=1, metadata={"unit": "share"}, description=description
    )


class Figure(dy.Schema):
    """Columns that every figure begins with."""

    service_date = dy.Date(
        primary_key=True, description="Local service date that the row is about."
    )
    day_type = one_of(
        *DAY_TYPES, description="Kind of day; a public holiday is a holiday on any weekday."
    )
    departure_window = dy.String(
        description="Local departure window used, e.g. 07:00-09:00, or 'whole day'."
    )
    method = dy.String(description="Name of the method that the figure was made by.")
    mark = one_of(
        *MARKS,
        description="What the figure stands on: measured, modelled, published or synthetic.",
    )
    reason = dy.String(nullable=True, description="Why a value is null; null where none is.")


def stamp(rows: pl.DataFrame, night: Night, *, method: str, windowed: bool = False) -> pl.DataFrame:
    """Put the columns of `Figure` before a mart's own columns.

    `reason` and `mark` are kept where the rows have them already. `windowed` says that the figure
    was made in the city's departure window and not over the whole service day.
    """
    base = {
        "service_date": pl.lit(night.service_date, pl.Date),
        "day_type": pl.lit(night.day_type, pl.String),
        "departure_window": pl.lit(night.window.label if windowed else WHOLE_DAY, pl.String),
        "method": pl.lit(method, pl.String),
        "mark": pl.lit(night.mark, pl.String),
        "reason": pl.lit(None, pl.String),
    }
    columns = [
        pl.col(name) if name in rows.columns else expression.alias(name)
        for name, expression in base.items()
    ]
    return rows.select(*columns, pl.exclude(list(base)))
