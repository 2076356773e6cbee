"""How evenly reach is spread over a city's districts.

For each figure of reach, over the districts with a share:

    worst_to_best_ratio = least share / largest share
    reach_gini          = sum of w_i w_j |x_i - x_j| over all pairs / (2 x mean of x)

with x the share of a district and w its part of all districts' residents: the population-weighted
Gini coefficient, 0 where all districts are alike, near 1 where one small district has everything.
*Annexed* districts are those that the boundaries give a date of annexation; their share, and the
old city's, is that of all their residents together. A part of a district that was annexed counts
with the district.

Of accessibility the share of all opportunities that a district's resident reaches is compared, by
all modes, at the median time, for each type and threshold; on nights without travel times there are
no such rows.

Shares are the grid's: rescaling leaves the share of a district as it is, and would change weights
of some districts only. Left out: residents outside all districts, and differences within one.
"""

from __future__ import annotations

from itertools import product

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, stamp
from pipelines.marts.accessibility import Accessibility
from pipelines.marts.bus_reach import BusReach
from pipelines.marts.metro_reach import MetroReach
from pipelines.marts.rail_reach import RailReach
from pipelines.marts.reach.mode_sets import ALL
from pipelines.marts.reach.people import SHARE_DECIMALS, share, total
from pipelines.night import WHOLE_DAY, Night
from pipelines.staging.districts import Districts

SHARE = "reach_share"
MEDIAN = 50


class ReachEquity(Figure):
    """One row per service date and figure of reach: a column, in some rows of a table."""

    figure_table = dy.String(primary_key=True, description="Table of the figure.")
    figure_column = dy.String(primary_key=True, description="Its column that is compared.")
    figure_rows = dy.String(
        primary_key=True,
        description="Which rows of the table, where it has several of a district; else empty.",
    )
    district_count = dy.Int64(min=0, description="Districts with a value.")
    worst_district_id = dy.String(nullable=True, description="District with the least share.")
    worst_share = dy.Float64(nullable=True, min=0, max=1, description="Its share.")
    best_district_id = dy.String(nullable=True, description="District with the largest share.")
    best_share = dy.Float64(nullable=True, min=0, max=1, description="Its share.")
    worst_to_best_ratio = dy.Float64(
        nullable=True, min=0, max=1, description="Least share / largest share."
    )
    reach_gini = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Gini coefficient of the districts' shares, weighted by residents.",
    )
    annexed_district_count = dy.Int64(min=0, description="Districts with a date of annexation.")
    annexed_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Share of the residents of annexed districts; null where none is known.",
    )
    old_city_share = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Share of the residents of the other districts; null where none is annexed.",
    )
    annexed_to_old_ratio = dy.Float64(
        nullable=True, min=0, description="annexed_share / old_city_share."
    )

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """The Gini coefficient is there, or the reason why not."""
        return pl.col("reach_gini").is_not_null() | pl.col("reason").is_not_null()


def compute_reach_equity(
    night: Night,
    *,
    metro_reach: dy.DataFrame[MetroReach],
    bus_reach: dy.DataFrame[BusReach],
    rail_reach: dy.DataFrame[RailReach],
    accessibility: dy.DataFrame[Accessibility],
    districts: dy.DataFrame[Districts],
) -> dy.DataFrame[ReachEquity]:
    """How even each figure is on the night's date, sorted by key."""
    dated = districts.filter(pl.col("annexed_date") <= night.service_date)
    annexed = set(dated.get_column("district_id"))
    figures = {"bus_reach": bus_reach, "metro_reach": metro_reach, "rail_reach": rail_reach}
    rows = [_row(f"marts.{name}", figure, annexed) for name, figure in figures.items()]
    rows += _of_accessibility(accessibility, annexed)
    own = {name: column.dtype for name, column in ReachEquity.columns().items() if name in rows[0]}
    stamped = stamp(pl.DataFrame(rows, schema=own), night, method=SHARE)
    ordered = stamped.select(ReachEquity.column_names()).sort(ReachEquity.primary_key())
    return ReachEquity.validate(ordered)


def gini(values: list[float], weights: list[float]) -> float | None:
    """Weighted Gini coefficient; null where all values or all weights are 0."""
    people = sum(weights)
    mean = sum(x * w for x, w in zip(values, weights, strict=True)) / people if people else 0.0
    if not mean:
        return None
    pairs = product(zip(values, weights, strict=True), repeat=2)
    differences = sum(
        one_w * other_w * abs(one - other) for (one, one_w), (other, other_w) in pairs
    )
    return differences / people**2 / (2 * mean)


def _of_accessibility(accessibility: pl.DataFrame, annexed: set[str]) -> list[dict[str, object]]:
    """A row for each type and threshold: by all modes, at the median time."""
    shared = accessibility.filter(mode_set=ALL.name, percentile=MEDIAN).with_columns(
        pl.col("reached_share").alias(SHARE),
        residents_within_count=pl.col("reached_share") * pl.col("residents_count"),
    )
    kinds = ("opportunity_type", "threshold_minutes")
    return [
        {
            **_row("marts.accessibility", rows, annexed),
            "figure_column": "reached_share",
            "figure_rows": f"mode_set = all, percentile = {MEDIAN}, opportunity_type = {kind}, "
            f"threshold_minutes = {minutes}",
            "departure_window": rows.item(0, "departure_window"),
        }
        for (kind, minutes), rows in shared.group_by(kinds, maintain_order=True)
    ]


def _row(table: str, figure: pl.DataFrame, annexed: set[str]) -> dict[str, object]:
    told = figure.filter(pl.col("scope_type") == "district", pl.col(SHARE).is_not_null())
    told = told.sort(SHARE, "scope_id")
    is_annexed = pl.col("scope_id").is_in(sorted(annexed))
    inside, outside = told.filter(is_annexed), told.filter(~is_annexed)
    ends = told.select("scope_id", SHARE).rows()
    (worst, least), (best, largest) = (ends[0], ends[-1]) if ends else ((None, None),) * 2
    coefficient = gini(
        told.get_column(SHARE).to_list(), told.get_column("residents_count").to_list()
    )
    new = _together(inside)
    old = _together(outside) if inside.height else None
    city = figure.row(by_predicate=pl.col("scope_type") == "city", named=True)
    return {
        "method": city["method"],
        "mark": city["mark"],
        "reason": _reason(city["reason"], told, coefficient),
        "figure_table": table,
        "departure_window": WHOLE_DAY,
        "figure_column": SHARE,
        "figure_rows": "",
        "district_count": told.height,
        "worst_district_id": worst,
        "worst_share": least,
        "best_district_id": best,
        "best_share": largest,
        "worst_to_best_ratio": share(least, largest),
        "reach_gini": None if coefficient is None else round(coefficient, SHARE_DECIMALS),
        "annexed_district_count": inside.height,
        "annexed_share": new,
        "old_city_share": old,
        "annexed_to_old_ratio": share(new, old),
    }


def _together(districts: pl.DataFrame) -> float | None:
    """Share of all residents of some districts."""
    return share(total(districts, "residents_within_count"), total(districts, "residents_count"))


def _reason(of_city: str | None, told: pl.DataFrame, coefficient: float | None) -> str | None:
    if coefficient is not None:
        return None
    if told.is_empty():
        return of_city or "no districts"
    return "nobody is within reach in any district"
