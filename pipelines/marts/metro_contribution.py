"""What the metro adds to buses: what residents reach by metro and bus, less what they do by bus.

    added_count = reached by metro and bus - reached by bus alone
    added_share = added_count / reached by bus alone

both `reached_count` of `marts.accessibility` at the median time. Suburban rail and trams are in
neither, so that all of the difference is the metro's. Where metro or buses have no trips in the
window, values are null and `reason` says so.

Left out: what the metro brings where buses are full, and buses that would run if it did not.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import stamp
from pipelines.marts.accessibility import Accessibility
from pipelines.marts.opportunities_reached import COUNT_DECIMALS, OPPORTUNITIES
from pipelines.marts.reach.assumptions import THRESHOLDS_MINUTES
from pipelines.marts.reach.mode_sets import BUS_ONLY, METRO_AND_BUS, METRO_ONLY
from pipelines.marts.reach.people import SHARE_DECIMALS, Scoped
from pipelines.night import Night

MEDIAN = 50
KEY = ("scope_type", "scope_id", "opportunity_type", "threshold_minutes")
NOTHING_BY_BUS = "nothing is reached by bus alone"


class MetroContribution(Scoped):
    """One row per service date, scope, type of opportunity and threshold."""

    opportunity_type = dy.String(primary_key=True, description="What there is: people, jobs, ...")
    threshold_minutes = dy.Int16(
        primary_key=True,
        check=lambda minutes: minutes.is_in(THRESHOLDS_MINUTES),
        metadata={"unit": "minutes"},
        description="Longest time from door to door, for half of the departures.",
    )
    metro_and_bus_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=OPPORTUNITIES,
        description="What a resident reaches on average by metro and bus.",
    )
    bus_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=OPPORTUNITIES,
        description="What a resident reaches on average by bus alone.",
    )
    metro_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=OPPORTUNITIES,
        description="What a resident reaches on average by metro alone.",
    )
    added_count = dy.Float64(
        nullable=True,
        min=0,
        metadata=OPPORTUNITIES,
        description="metro_and_bus_count - bus_count.",
    )
    added_share = dy.Float64(nullable=True, min=0, description="added_count / bus_count.")

    @dy.rule()
    def reason_given(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """The share is there, or the reason why not."""
        return pl.col("added_share").is_not_null() | pl.col("reason").is_not_null()


def compute_metro_contribution(
    night: Night, *, accessibility: dy.DataFrame[Accessibility]
) -> dy.DataFrame[MetroContribution]:
    """What the metro adds on the night's date, sorted by key."""
    median = accessibility.filter(pl.col("percentile") == MEDIAN).sort(KEY)
    rows = median.select(*KEY, "scope_name", "method").unique(KEY, maintain_order=True)
    for mode_set, column in (
        (METRO_AND_BUS, "metro_and_bus"),
        (BUS_ONLY, "bus"),
        (METRO_ONLY, "metro"),
    ):
        of_set = median.filter(pl.col("mode_set") == mode_set.name)
        named = {"reached_count": f"{column}_count", "reason": f"{column}_reason"}
        rows = rows.join(of_set.select(*KEY, *named).rename(named), on=KEY, how="left")
    rows = rows.with_columns(added_count=_added(), reason=_reason())
    share = pl.when(pl.col("bus_count") > 0).then(pl.col("added_count") / pl.col("bus_count"))
    told = rows.with_columns(
        added_share=share.round(SHARE_DECIMALS),
        reason=pl.coalesce(
            "reason", pl.when(pl.col("bus_count") == 0).then(pl.lit(NOTHING_BY_BUS))
        ),
    )
    stamped = stamp(
        told.select(~pl.selectors.ends_with("_reason")), night, method="", windowed=True
    )
    return MetroContribution.validate(
        stamped.select(MetroContribution.column_names()).sort(MetroContribution.primary_key())
    )


def _added() -> pl.Expr:
    """Null where the metro does not run, for it adds nothing that could be told."""
    added = (pl.col("metro_and_bus_count") - pl.col("bus_count")).round(COUNT_DECIMALS)
    return pl.when(pl.col("metro_count").is_not_null()).then(added)


def _reason() -> pl.Expr:
    """Why one of the three is null, the metro's reason first."""
    return pl.coalesce("metro_reason", "bus_reason", "metro_and_bus_reason")
