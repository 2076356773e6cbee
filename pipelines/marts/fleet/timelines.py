"""From observations of vehicles to their history: which state held when, and since when known.

For each event of a vehicle its whole timeline is drawn from what was known then; rows that one
event leaves as the one before had them go on being known. So a correction of the past closes what
was known of the days that it corrects, and nothing else.

A life begins on the day of entry (manufacture, where entry is blank), or where the register tells
neither, on the day it was first seen; it ends with retirement. A vehicle that the register loses is
out until it is back, and that is another life: the number may be on another vehicle by then.
"""

from __future__ import annotations

import polars as pl

from pipelines.marts.fleet.tellings import DATES, STATE, VEHICLE

BEGINNINGS = ("manufacture_date", "in_service_date")
OPENED_BY = ("entry", "first seen", "change", "return")
CLOSED_BY = ("retirement", "absence", "change")
_AT = (*VEHICLE, "event")


def histories(events: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """One row per vehicle, day from which its state held, and night from which that was known."""
    numbered = events.sort(*VEHICLE, "telling").with_columns(
        event=pl.int_range(pl.len()).over(VEHICLE)
    )
    timelines = _timelines(_held(numbered, observed))
    return _known(timelines, numbered)


def _held(events: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """For each event of a vehicle: the observations that hold after it."""
    told = events.select(*VEHICLE, "telling", told_at="event")
    later = events.select(*VEHICLE, "event", "covers_date")
    pairs = told.join(later, on=VEHICLE).filter(pl.col("event") >= pl.col("told_at"))
    covered = pl.when(pl.col("event") > pl.col("told_at")).then("covers_date")
    limit = covered.cum_min().over(*VEHICLE, "told_at", order_by="event")
    pairs = pairs.with_columns(
        limit_date=limit.forward_fill().over(*VEHICLE, "told_at", order_by="event")
    )
    holds = (pl.col("from_date") < pl.col("limit_date")).fill_null(value=True)
    return pairs.join(observed, on=[*VEHICLE, "telling"]).filter(holds).sort(*_AT, "from_date")


def _timelines(held: pl.DataFrame) -> pl.DataFrame:
    """For each event of a vehicle: its timeline, one row per state, in order."""
    # A number that was gone may come back on another vehicle: each life has dates of its own.
    comes = pl.col("is_present") & ~pl.col("is_present").shift(1, fill_value=False).over(_AT)
    lives = held.with_columns(
        life=comes.cum_sum().over(_AT),
        until=pl.col("from_date").shift(-1).over(_AT),
        state=pl.struct(STATE).hash(),
    )
    # A beginning that is told no more stays as told; an end that is told no more is withdrawn.
    last = [
        pl.col(name)
        .filter(pl.col("is_present") & (pl.col(name).is_not_null() | (name not in BEGINNINGS)))
        .last()
        .over(*_AT, "life")
        for name in DATES
    ]
    lives = lives.with_columns(*last)
    entry = pl.coalesce("in_service_date", "manufacture_date")
    is_first = pl.col("from_date") == pl.col("from_date").filter("is_present").min().over(_AT)
    began = (
        pl.when(is_first)
        .then(pl.coalesce(entry, "from_date"))
        .otherwise(pl.max_horizontal("from_date", entry))
    )
    rows = lives.with_columns(
        valid_from_date=began,
        valid_to_date=pl.min_horizontal("until", "retirement_date"),
        is_entry=(began == entry).fill_null(value=False),
    ).filter(
        "is_present",
        (pl.col("valid_to_date") > pl.col("valid_from_date")).fill_null(value=True),
    )
    goes_on = (pl.col("state") == pl.col("state").shift(1).over(_AT)) & (
        pl.col("valid_from_date") == pl.col("valid_to_date").shift(1).over(_AT)
    )
    run = (~goes_on.fill_null(value=False)).cum_sum()
    merged = (
        rows.with_columns(run=run)
        .group_by(*_AT, "run", maintain_order=True)
        .agg(
            pl.first("valid_from_date", "is_entry", *STATE, *DATES),
            pl.last("valid_to_date"),
        )
    )
    return _explained(merged)


def _explained(rows: pl.DataFrame) -> pl.DataFrame:
    """Timelines with why each row begins and ends, and what changed."""
    before = {name: pl.col(name).shift(1).over(_AT) for name in (*STATE, "valid_to_date", "run")}
    after = pl.col("valid_from_date").shift(-1).over(_AT)
    follows = pl.col("valid_from_date") == before["valid_to_date"]
    opened = (
        pl.when(before["run"].is_null() & pl.col("is_entry"))
        .then(pl.lit("entry"))
        .when(before["run"].is_null())
        .then(pl.lit("first seen"))
        .when(follows)
        .then(pl.lit("change"))
        .otherwise(pl.lit("return"))
    )
    closed = (
        pl.when(pl.col("valid_to_date") == pl.col("retirement_date"))
        .then(pl.lit("retirement"))
        .when(pl.col("valid_to_date") == after)
        .then(pl.lit("change"))
        .when(pl.col("valid_to_date").is_not_null())
        .then(pl.lit("absence"))
    )
    changed = pl.concat_str(
        [
            pl.when(before["run"].is_not_null() & pl.col(name).ne_missing(before[name])).then(
                pl.lit(name)
            )
            for name in STATE
        ],
        separator=", ",
        ignore_nulls=True,
    )
    return rows.with_columns(
        opened_by=opened, closed_by=closed, changed_columns=pl.when(changed != "").then(changed)
    ).drop("run", "is_entry")


def _known(timelines: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Rows of all timelines, each once for the unbroken span of nights that knew it."""
    # Of several events in one night the last one counts.
    nights = (
        events.unique([*VEHICLE, "night_date"], keep="last", maintain_order=True)
        .select(*_AT, known_from_date="night_date")
        .with_columns(
            known_to_date=pl.col("known_from_date").shift(-1).over(VEHICLE),
            place=pl.int_range(pl.len()).over(VEHICLE),
        )
    )
    rows = timelines.join(nights, on=_AT)
    own = [name for name in timelines.columns if name != "event"]
    same = pl.struct(own).hash()
    ordered = rows.with_columns(same=same).sort(*VEHICLE, "valid_from_date", "same", "place")
    island = pl.col("place") - pl.int_range(pl.len()).over(*VEHICLE, "same")
    return (
        ordered.with_columns(island=island)
        .group_by(*VEHICLE, "same", "island", maintain_order=True)
        .agg(
            pl.first(*(name for name in own if name not in VEHICLE), "known_from_date"),
            pl.last("known_to_date"),
        )
        .drop("same", "island")
    )
