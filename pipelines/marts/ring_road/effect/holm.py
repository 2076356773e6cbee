"""p-values for who reads many places at once and picks, by Holm's step-down correction.

The k-th smallest of m p-values is multiplied by m - k + 1, is at most 1 and no less than the one
before. Then the chance that any place without an effect seems to have one is no more than told,
however the places hang together. Source: Holm, Scandinavian Journal of Statistics 6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def with_adjusted_p_values(rows: pl.DataFrame, per_test: Sequence[str]) -> pl.DataFrame:
    """The rows with tested_place_count and p_value_adjusted, each within its `per_test` group.

    Rows without a `p_value` are not tested: they don't count, and have no adjusted one.
    """
    p_value, count = pl.col("p_value"), pl.col("p_value").count().over(per_test)
    remaining = count - p_value.rank("ordinal").over(per_test) + 1
    scaled = pl.min_horizontal(p_value * remaining, 1.0)
    return rows.sort("p_value", nulls_last=True).with_columns(
        tested_place_count=count.cast(pl.Int64),
        p_value_adjusted=pl.when(p_value.is_not_null()).then(scaled.cum_max().over(per_test)),
    )
