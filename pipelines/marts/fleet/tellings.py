"""What a fleet register has told, night after night, as observations of single vehicles.

A *telling* is what became known at once: on a night on which another version governs, the register
as it then stands (its objects together), or a dated version with all its states. It *covers* the
days from its own on: what earlier tellings said of these days no longer holds, what they said of
days before does. A vehicle that a register or a snapshot leaves out is absent from then on; a file
of events says nothing of vehicles that it does not name.

An *observation* is a vehicle, present with its state or absent, from a day on until the next one.
Only tellings that say something else of a vehicle than the one before are kept for it, so a
register that comes every night leaves a few rows a vehicle.
"""

from __future__ import annotations

import polars as pl

from pipelines.staging.fleet import VehicleState

_OF_VERSION = ("source_id", "version_id")
VEHICLE = ("source_id", "vehicle_id")
# Dates correct each other: the last that was told holds for the whole life of a vehicle.
DATES = ("manufacture_date", "in_service_date", "retirement_date", "has_year_only_date")
STATE = tuple(
    name for name in VehicleState.column_names() if name not in {*_OF_VERSION, *VEHICLE, *DATES}
)
_ABSENT = pl.lit(0, pl.UInt64)


def observations(
    vehicles: pl.DataFrame, vehicle_states: pl.DataFrame, register_versions: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and observations of every vehicle.

    Events: VEHICLE, telling, night_date, covers_date; one row per vehicle and telling that says
    something else of it. Observations: VEHICLE, telling, from_date, is_present, STATE, DATES.
    """
    dated = vehicle_states.select(_OF_VERSION).unique()
    tellings = pl.concat(
        [
            _of_registers(register_versions.join(dated, on=_OF_VERSION, how="anti")),
            _of_dated(register_versions, vehicle_states),
        ]
    )
    order = ("night_date", "covers_date", "telling_id")
    numbered = (
        tellings.select("source_id", *order, "is_complete").unique().sort("source_id", *order)
    )
    numbered = numbered.with_columns(
        telling=pl.int_range(1, pl.len() + 1).over("source_id"),
        complete_number=pl.col("is_complete").cast(pl.Int64).cum_sum().over("source_id"),
    )
    told = tellings.join(numbered, on=["source_id", *order, "is_complete"])
    every = _contributions(told, vehicles, vehicle_states, dated)
    return _changes(every, numbered)


def _of_registers(versions: pl.DataFrame) -> pl.DataFrame:
    """Tellings of registers without dates: one a night on which an object came, changed or went."""
    ends = versions.select("source_id", night_date="known_to_date").drop_nulls()
    nights = pl.concat([versions.select("source_id", night_date="known_from_date"), ends]).unique()
    governs = (pl.col("known_from_date") <= pl.col("night_date")) & (
        pl.col("known_to_date") > pl.col("night_date")
    ).fill_null(value=True)
    return (
        nights.join(versions, on="source_id")
        .filter(governs)
        .select(
            *_OF_VERSION,
            "object_name",
            "night_date",
            covers_date="night_date",
            telling_id=pl.lit(""),
            is_complete=pl.lit(value=True),
        )
    )


def _of_dated(versions: pl.DataFrame, vehicle_states: pl.DataFrame) -> pl.DataFrame:
    """Tellings of dated versions: each once, when it was first known."""
    covered = vehicle_states.group_by(_OF_VERSION).agg(
        covers_date=pl.min("valid_from_date"), is_complete=(pl.col("told_by") == "snapshot").all()
    )
    first = versions.group_by(_OF_VERSION).agg(night_date=pl.min("known_from_date"))
    return first.join(covered, on=_OF_VERSION).select(
        *_OF_VERSION,
        pl.lit("").alias("object_name"),
        "night_date",
        "covers_date",
        telling_id="version_id",
        is_complete="is_complete",
    )


def _contributions(
    told: pl.DataFrame, vehicles: pl.DataFrame, vehicle_states: pl.DataFrame, dated: pl.DataFrame
) -> pl.DataFrame:
    """All that the tellings say: observations with the telling, before what is said again."""
    own = ("telling", "night_date", "covers_date", "complete_number", "is_complete")
    of_telling = told.select(*_OF_VERSION, "object_name", *own)
    content = (*STATE, *DATES)
    standing = (
        vehicles.join(dated, on=_OF_VERSION, how="anti")
        .join(of_telling, on=_OF_VERSION)
        .with_columns(from_date="covers_date", is_present=pl.lit(value=True))
        # Two objects of a register may list one vehicle: the first by name holds.
        .sort("object_name")
        .unique([*VEHICLE, "telling"], keep="first", maintain_order=True)
    )
    states = vehicle_states.join(of_telling, on=_OF_VERSION).sort(
        *VEHICLE, "telling", "valid_from_date"
    )
    following = pl.col("valid_from_date").shift(-1).over(*VEHICLE, "telling")
    is_gone = pl.col("valid_to_date").is_not_null() & pl.col("valid_to_date").ne_missing(following)
    present = states.with_columns(from_date="valid_from_date", is_present=pl.lit(value=True))
    gone = states.filter(is_gone).with_columns(
        from_date="valid_to_date", is_present=pl.lit(value=False)
    )
    columns = [*VEHICLE, *own, "from_date", "is_present", *content]
    every = pl.concat([standing.select(columns), present.select(columns), gone.select(columns)])
    hashed = pl.when("is_present").then(pl.struct(content).hash()).otherwise(_ABSENT)
    # A file of events says something of a vehicle from its own first event on.
    first = pl.col("from_date").min().over(*VEHICLE, "telling")
    return every.with_columns(
        content=hashed,
        covers_date=pl.when("is_complete").then("covers_date").otherwise(first),
    )


def _changes(every: pl.DataFrame, numbered: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and observations, without tellings that say of a vehicle what was known."""
    said = pl.struct("from_date", "content").hash()
    summary = (
        every.sort(*VEHICLE, "telling", "from_date")
        .group_by(*VEHICLE, "telling", maintain_order=True)
        .agg(
            pl.first("night_date", "covers_date", "complete_number", "is_complete"),
            said=said.sum(),
            count=pl.len(),
            first_date=pl.first("from_date"),
            first_content=pl.first("content"),
            last_content=pl.last("content"),
        )
    )
    before = {
        name: pl.col(name).shift(1).over(VEHICLE)
        for name in ("said", "last_content", "complete_number")
    }
    missed = (
        pl.col("complete_number") - before["complete_number"] - pl.col("is_complete").cast(pl.Int64)
    )
    is_repeated = pl.col("said") == before["said"]
    goes_on = (
        (pl.col("count") == 1)
        & (pl.col("first_date") == pl.col("covers_date"))
        & (pl.col("first_content") == before["last_content"])
    )
    is_known = (is_repeated | goes_on) & (missed <= 0)
    events = summary.filter(~is_known.fill_null(value=False))
    absences = _absences(summary, numbered)
    key = [*VEHICLE, "telling"]
    present = every.join(events, on=key, how="semi").select(
        *key, "from_date", "is_present", *STATE, *DATES
    )
    absent = absences.select(*key, from_date="covers_date", is_present=pl.lit(value=False))
    columns = [*key, "night_date", "covers_date"]
    return (
        pl.concat([events.select(columns), absences.select(columns)]).sort(key),
        pl.concat([present, absent], how="diagonal"),
    )


def _absences(summary: pl.DataFrame, numbered: pl.DataFrame) -> pl.DataFrame:
    """The first whole telling after each that had a vehicle, where it doesn't have it."""
    whole = numbered.filter("is_complete").select(
        "source_id", "night_date", "covers_date", next_whole="telling"
    )
    own_next = pl.col("telling").shift(-1).over(VEHICLE)
    rows = summary.with_columns(own_next=own_next).drop("night_date", "covers_date", "is_complete")
    following = rows.sort("telling").join_asof(
        whole.sort("next_whole"),
        left_on="telling",
        right_on="next_whole",
        by="source_id",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    is_out = (pl.col("next_whole") < pl.col("own_next")).fill_null(value=True)
    return following.filter(
        pl.col("next_whole").is_not_null(), is_out, pl.col("last_content") != _ABSENT
    ).select(*VEHICLE, "night_date", "covers_date", telling="next_whole")
