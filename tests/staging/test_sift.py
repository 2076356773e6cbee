"""Rows that all keep their contract are known at a glance; what comes of any is what it was."""

from __future__ import annotations

from itertools import pairwise

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contracts.canonical import in_key_order, rises
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import ROW, keeps, settle, settle_each

SOURCE = SourceVersion("bus", "0f3a", "bus.zip", "zip", "Asia/Almaty", {}, {})
Call = tuple[str | None, int | None, int | None, int | None]


class Calls(Versioned):
    """One row per call: a key of text and number, bounds, a rule between two columns."""

    trip_id = dy.String(primary_key=True)
    stop_sequence = dy.Int32(primary_key=True, min=0)
    arrival_seconds = dy.Int32(nullable=True, min=0)
    departure_seconds = dy.Int32(nullable=True)

    @dy.rule()
    def departure_after_arrival(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A vehicle does not leave before it arrives."""
        return pl.col("departure_seconds") >= pl.col("arrival_seconds")


def typed(calls: list[Call]) -> pl.DataFrame:
    """Calls of one version, numbered as in a file."""
    rows = [(*SOURCE_KEY, *call) for call in calls]
    schema = {name: column.dtype for name, column in Calls.columns().items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW))


SOURCE_KEY = (SOURCE.source_id, SOURCE.version_id)
SOUND: list[Call] = [("A", 1, 0, 0), ("A", 2, None, 5), ("B", 0, 7, None), ("Б", 0, 7, 9)]
trips = st.none() | st.sampled_from(["", "A", "AA", "B", "Б", "trip with a long name"])
numbers = st.none() | st.integers(-1, 3)
calls = st.lists(st.tuples(trips, numbers, numbers, numbers), max_size=5)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(calls=calls | calls.map(lambda rows: sorted(rows, key=str)))
def test_a_glance_gives_what_asking_each_row_gives(calls: list[Call]) -> None:
    rows = typed(calls)
    refused = pl.DataFrame(
        {ROW: [2], "rule": ["orphan"]}, schema={ROW: pl.Int64, "rule": pl.String}
    )
    seen = settle(Calls, rows, rows, [refused.head(len(calls))], SOURCE)
    each = settle_each(Calls, rows, rows, [refused.head(len(calls))], SOURCE)
    assert seen.rows.equals(each.rows)
    assert seen.rows.schema == each.rows.schema
    assert seen.quarantine.equals(each.quarantine)


def test_sound_rows_are_known_at_a_glance() -> None:
    assert keeps(Calls, typed(SOUND))
    assert keeps(Calls, typed(SOUND[::-1]))
    assert keeps(Calls, typed([]))


@pytest.mark.parametrize(
    "calls",
    [
        [*SOUND, SOUND[-1]],
        [*SOUND, ("Г", 0, 7, 6)],
        [*SOUND, ("Г", -1, None, None)],
        [*SOUND, ("Г", None, None, None)],
        [(None, 1, 0, 0), *SOUND],
    ],
)
def test_others_are_asked_each(calls: list[Call]) -> None:
    assert not keeps(Calls, typed(calls))


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(calls=calls)
def test_the_key_rises_where_sorted_rows_are_all_different(calls: list[Call]) -> None:
    rows = typed(calls).drop_nulls(["trip_id", "stop_sequence"])
    key = ["trip_id", "stop_sequence"]
    pairs = rows.select(key).rows()
    rising = all(a < b for a, b in pairwise(pairs))
    assert rises(rows, key) == rising


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(calls=calls)
def test_the_order_is_that_of_the_whole_key(calls: list[Call]) -> None:
    rows = typed(calls)
    ordered = in_key_order(rows, Calls, same=("source_id", "version_id"))
    key = Calls.primary_key()
    assert ordered.select(key).equals(rows.sort(key).select(key))
    assert ordered.sort(ROW).equals(rows)
