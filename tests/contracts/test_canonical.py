"""Rows in key order are those that a plain sort gives, however few their texts are."""

from __future__ import annotations

import dataframely as dy
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.canonical import in_key_order

TEXTS = st.sampled_from(["", "b", "a", "Ә", "\U0001f68c", "a\x00", "aa", None])


class Texts(dy.Schema):
    """Texts that repeat beside a number."""

    few = dy.String(primary_key=True)
    other = dy.String(primary_key=True)
    number = dy.Int64(primary_key=True)


@given(
    st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 3)), max_size=20), st.integers(1, 30), st.data()
)
def test_few_texts_are_sorted_as_texts(
    cells: list[tuple[str | None, str | None, int]], times: int, data: st.DataObject
) -> None:
    schema = {"few": pl.String, "other": pl.String, "number": pl.Int64}
    rows = pl.DataFrame(cells * times, schema=schema, orient="row")
    rows = rows.sample(fraction=1, shuffle=True, seed=data.draw(st.integers(0, 9)))
    found = in_key_order(rows, Texts).rows()

    def place(row: tuple[str | None, str | None, int]) -> tuple[tuple[bool, bytes], ...]:
        few, other, number = row
        return (
            (few is not None, (few or "").encode()),
            (other is not None, (other or "").encode()),
            (True, bytes([number])),
        )

    assert found == sorted(rows.rows(), key=place)
