"""A register that tells dates becomes changes: daily snapshots of ten years, or single events.

*Snapshots.* A run is a vehicle's unbroken sequence of snapshots with the same cells. It begins on
its first snapshot and ends on the first one after it, `valid_to_date`; a run that reaches the last
snapshot is open. So thousands of copies become a few rows, and the dates between two snapshots go
with the earlier one. The rows are never all in memory as text: of each slice its cells are hashed,
and of each different row of cells one is kept.

*Events.* `entered` and `changed` tell how the vehicle is from that day on, `left` ends it. A blank
cell of a changed row stays as it was. A blank entry into service is the day it entered, a blank
retirement the day it left.

Refused by name: a vehicle twice in a snapshot (`one_row_a_snapshot`), twice on a day of events
(`one_event_a_day`), an event of no known kind (`known_event_type`), a vehicle that leaves and was
never there (`left_without_entry`), and dates that can't be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fleet.plates import PLATE, TWICE, in_use, with_checks, without_plates
from pipelines.sources.table import described, map_table
from pipelines.staging.fleet import REFUSED_BY, read_date
from pipelines.staging.sift import FIRST_ROW, ROW

SNAPSHOT_DATE, EVENT_DATE, EVENT_TYPE = "snapshot_date", "event_date", "event_type"
ENTERED, CHANGED, LEFT = "entered", "changed", "left"

_DAY, _CONTENT, _VEHICLE, _NUMBER, _KEY = "day", "content", "vehicle", "number", "key"
_MOST_SNAPSHOTS = 2**24  # and one to spare between vehicles


def states_of_snapshots(
    first: pl.DataFrame,
    rest: Iterator[pl.DataFrame],
    headings: Sequence[str],
    source: SourceVersion,
) -> dict[str, pl.DataFrame]:
    """`vehicles` of the last snapshot and `vehicle_states` of all, from the file's raw slices.

    SourceError where no snapshot's date can be read.
    """
    place = _column_of(SNAPSHOT_DATE, first, headings, source)
    index, cells = _indexed(chain([first], rest), place)
    if index.get_column(_DAY).null_count() == index.height:
        raise SourceError(
            f"{described(source)} has no readable date in the column {SNAPSHOT_DATE!r}.",
            "Ask who delivers it to write dates as 2025-12-31.",
        )
    contents = cells.get_column(_CONTENT)
    register = with_text_ids(map_table(cells.drop(_CONTENT), source, headings))
    is_twice = _plates_twice(index, register, contents)
    index = index.with_columns(is_twice=is_twice).join(
        pl.DataFrame({_CONTENT: contents, _VEHICLE: _numbers(register.get_column("vehicle_id"))}),
        on=_CONTENT,
        how="left",
        maintain_order="left",
    )
    runs = _runs(index)
    if PLATE in register.columns:
        register = with_checks(register)
    states = (
        runs.join(
            register.drop(SNAPSHOT_DATE).with_columns(contents.alias(_CONTENT)),
            on=_CONTENT,
            how="left",
            maintain_order="left",
        )
        .drop(_CONTENT)
        .with_columns(told_by=pl.lit("snapshot"))
        .sort(ROW)
    )
    is_last = pl.col("valid_to_date").is_null() & pl.col("valid_from_date").is_not_null()
    dated = ("valid_from_date", "valid_to_date", "told_by")
    return {"vehicles": states.filter(is_last).drop(dated), "vehicle_states": states}


def with_text_ids(vehicles: pl.DataFrame) -> pl.DataFrame:
    """Vehicle numbers as text; 1406.0, as spreadsheets write a number, is 1406."""
    number = pl.col("vehicle_id")
    if not vehicles.schema["vehicle_id"].is_float():
        return vehicles.with_columns(number.cast(pl.String))
    whole = number.cast(pl.Int64, strict=False)
    text = pl.when(whole == number).then(whole.cast(pl.String)).otherwise(number.cast(pl.String))
    return vehicles.with_columns(text.alias("vehicle_id"))


def _column_of(
    name: str, rows: pl.DataFrame, headings: Sequence[str], source: SourceVersion
) -> str:
    """The raw column that the mapping calls `name`."""
    places = pl.DataFrame({column: [str(n)] for n, column in enumerate(rows.columns)})
    mapped = map_table(places, replace(source, terms=MappingProxyType({})), headings)
    return rows.columns[int(mapped.item(0, name))]


def _indexed(slices: Iterable[pl.DataFrame], place: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per row of the file: its number, day and hash of cells; and each different row once.

    Rows that are blank throughout are no rows.
    """
    index: list[pl.DataFrame] = []
    cells: list[pl.DataFrame] = []
    seen = pl.Series(_CONTENT, [], dtype=pl.UInt64)
    start = FIRST_ROW
    for rows in slices:
        day = pl.col(place).str.strip_chars() if rows.schema[place] == pl.String else pl.col(place)
        numbered = rows.select(
            pl.int_range(start, start + pl.len(), dtype=pl.Int64).alias(ROW),
            day.alias(place),
            is_blank=pl.all_horizontal(pl.all().is_null()),
        )
        content = rows.drop(place).hash_rows().alias(_CONTENT)
        part = numbered.with_columns(
            read_date(place, rows.schema[place]).alias(_DAY), content
        ).filter(~pl.col("is_blank"))
        index.append(part.select(ROW, _DAY, _CONTENT))
        once = part.select(ROW, _CONTENT).unique(_CONTENT, keep="first", maintain_order=True)
        unseen = once.filter(~pl.col(_CONTENT).is_in(seen.implode()))
        found = rows[(unseen.get_column(ROW) - start).to_list()]
        cells.append(found.with_columns(unseen.get_column(_CONTENT)))
        seen = pl.concat([seen, unseen.get_column(_CONTENT)])
        start += rows.height
    return pl.concat(index), pl.concat(cells)


def _numbers(ids: pl.Series) -> pl.Series:
    """A number for each different id, 0 for blank ones: cheaper to sort by."""
    return ids.rank("dense").cast(pl.UInt32).fill_null(0)


def _plates_twice(index: pl.DataFrame, register: pl.DataFrame, contents: pl.Series) -> pl.Series:
    """For each row of the file, whether a row above has its day and plate, and another vehicle."""
    never = pl.repeat(value=False, n=index.height, dtype=pl.Boolean, eager=True)
    if PLATE not in register.columns:
        return never
    held = pl.DataFrame(
        {_CONTENT: contents, "plate": in_use(register), "vehicle_id": register["vehicle_id"]}
    ).drop_nulls("plate")
    shared = held.filter(pl.col("vehicle_id").n_unique().over("plate") > 1)
    if shared.is_empty():
        return never
    rows = index.join(shared, on=_CONTENT, maintain_order="left").sort(ROW)
    first = pl.col("vehicle_id").first().over(_DAY, "plate")
    twice = rows.filter(pl.col("vehicle_id") != first).get_column(ROW)
    return index.get_column(ROW).is_in(twice.implode())


def _runs(index: pl.DataFrame) -> pl.DataFrame:
    """One row per run: its first row in the file, hash of cells, dates, and why it is refused."""
    days = index.get_column(_DAY).drop_nulls().unique().sort()
    unread = index.filter(pl.col(_DAY).is_null()).select(
        ROW,
        _CONTENT,
        valid_from_date=pl.lit(None, pl.Date),
        valid_to_date=pl.lit(None, pl.Date),
        **{REFUSED_BY: pl.lit(f"{SNAPSHOT_DATE}|unparsable")},
    )
    # Vehicle and snapshot in one number are cheaper to sort by; equal ones keep the file's order.
    key = (pl.col(_VEHICLE).cast(pl.UInt64) * _MOST_SNAPSHOTS) + pl.col(_NUMBER)
    dated = (
        index.filter(pl.col(_DAY).is_not_null())
        .with_columns(_numbers_of_days(days).alias(_NUMBER))
        .select(ROW, _CONTENT, "is_twice", key.alias(_KEY))
        .sort(_KEY, maintain_order=True)
    )
    is_again = (pl.col(_KEY) == pl.col(_KEY).shift(1)).fill_null(value=False)
    again = dated.filter(is_again).unique(_KEY, keep="first", maintain_order=True)
    twice = pl.when("is_twice").then(pl.lit(TWICE))
    once = _run_rows(dated.filter(~is_again) if again.height else dated, days, twice)
    return pl.concat([once, _run_rows(again, days, pl.lit("one_row_a_snapshot")), unread])


def _numbers_of_days(days: pl.Series) -> pl.Expr:
    """The place of each row's day among the snapshots, by a table of all days between them."""
    first = days.item(0)
    places = pl.Series([0], dtype=pl.UInt32).new_from_index(0, (days.item(-1) - first).days + 1)
    offsets = (days - first).dt.total_days()
    places = places.scatter(offsets, pl.Series(range(len(days)), dtype=pl.UInt32))
    return pl.lit(places).gather((pl.col(_DAY) - first).dt.total_days())


def _run_rows(rows: pl.DataFrame, days: pl.Series, refused: pl.Expr) -> pl.DataFrame:
    """Runs of rows sorted by vehicle and snapshot; the next snapshot's key is one more."""
    same = pl.all_horizontal(
        pl.col(name) == pl.col(name).shift(1) for name in (_CONTENT, "is_twice")
    )
    is_next = pl.col(_KEY) == pl.col(_KEY).shift(1) + 1
    begins = rows.select((~(same & is_next)).fill_null(value=True)).to_series()
    ends = rows.get_column(_KEY).filter(begins.shift(-1, fill_value=True)) % _MOST_SNAPSHOTS
    runs = rows.filter(begins)
    return runs.select(
        ROW,
        _CONTENT,
        valid_from_date=days.gather(runs.get_column(_KEY) % _MOST_SNAPSHOTS),
        valid_to_date=days.shift(-1).gather(ends),
        **{REFUSED_BY: refused},
    )


def states_of_events(events: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """`vehicles` as they stand after their last event, and `vehicle_states` between events."""
    kinds = (ENTERED, CHANGED, LEFT)
    told = events.with_row_index(ROW, offset=FIRST_ROW).with_columns(
        read_date(EVENT_DATE, events.schema[EVENT_DATE]).alias(_DAY),
        pl.col(EVENT_TYPE).cast(pl.String).str.to_lowercase(),
    )
    by_date = pl.when(pl.col(_DAY).is_null()).then(pl.lit(f"{EVENT_DATE}|unparsable"))
    is_known = pl.col(EVENT_TYPE).is_in(kinds).fill_null(value=False)
    by_kind = pl.when(~is_known).then(pl.lit("known_event_type"))
    told = told.with_columns(pl.coalesce(by_date, by_kind).alias(REFUSED_BY))
    good = told.filter(pl.col(REFUSED_BY).is_null()).sort("vehicle_id", _DAY, ROW)
    repeated = ~pl.struct("vehicle_id", _DAY).is_first_distinct()
    first = pl.col(EVENT_TYPE).first().over("vehicle_id")
    is_lost = (first == LEFT) & pl.struct("vehicle_id").is_first_distinct()
    named = pl.when(repeated).then(pl.lit("one_event_a_day"))
    good = good.with_columns(
        pl.coalesce(named, pl.when(is_lost).then(pl.lit("left_without_entry"))).alias(REFUSED_BY)
    )
    refused = pl.concat([told.filter(pl.col(REFUSED_BY).is_not_null()),
                         good.filter(pl.col(REFUSED_BY).is_not_null())])  # fmt: skip
    states = without_plates(_lives(good.filter(pl.col(REFUSED_BY).is_null())))
    refused = refused.with_columns(valid_from_date=_DAY, valid_to_date=pl.lit(None, pl.Date))
    every = pl.concat([states, refused.drop(PLATE, strict=False)], how="diagonal_relaxed")
    every = every.with_columns(told_by=pl.lit("event")).drop(EVENT_DATE, EVENT_TYPE, _DAY)
    last = states.sort("valid_from_date").unique("vehicle_id", keep="last", maintain_order=True)
    dated = ("valid_from_date", "valid_to_date", EVENT_DATE, EVENT_TYPE, _DAY)
    return {"vehicles": last.drop(dated).sort(ROW), "vehicle_states": every.sort(ROW)}


def _lives(events: pl.DataFrame) -> pl.DataFrame:
    """One row per event that tells a state, blanks filled, with the dates between which it held."""
    life = (pl.col(EVENT_TYPE) == ENTERED).cum_sum().over("vehicle_id")
    fixed = {ROW, "vehicle_id", EVENT_DATE, EVENT_TYPE, _DAY, REFUSED_BY}
    dates = {"in_service_date", "retirement_date"}
    added = [pl.lit(None, pl.Date).alias(name) for name in dates - set(events.columns)]
    rows = events.with_columns(life.alias("life"), *added)
    own = [name for name in rows.columns if name not in {*fixed, "life"}]
    is_entered = pl.col(EVENT_TYPE).first().over("vehicle_id", "life") == ENTERED
    entered = pl.when(is_entered).then(pl.col(_DAY).first().over("vehicle_id", "life"))
    following = pl.col(_DAY).shift(-1).over("vehicle_id")
    is_left = (pl.col(EVENT_TYPE) == LEFT).shift(-1).over("vehicle_id")
    left = pl.coalesce(
        pl.col("retirement_date").shift(-1).over("vehicle_id"),
        _as(following, rows.schema["retirement_date"]),
    )
    rows = rows.with_columns(pl.col(own).forward_fill().over("vehicle_id", "life"))
    return (
        rows.with_columns(
            pl.coalesce("in_service_date", _as(entered, rows.schema["in_service_date"])),
            pl.coalesce("retirement_date", pl.when(is_left).then(left)),
            valid_from_date=_DAY,
            valid_to_date=following,
        )
        .filter(pl.col(EVENT_TYPE) != LEFT)
        .drop("life")
    )


def _as(day: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A date in the type of a column that may hold text."""
    return day.dt.to_string("%Y-%m-%d") if dtype == pl.String else day.cast(dtype)
