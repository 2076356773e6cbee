"""The ring road's effect on a station, or why none is told.

    ratio = exp(effect of synthetic difference in differences on logs of daily volumes)

the mean ratio, over the periods after the event, of the station's volume to the one it would have
had. The 95 % interval and the p-value are placebo stations' (`placebo`). Beside it stand the other
methods and all checks (`diagnostics`), and the hash of the plan that set their limits. Where one
fails, where too few controls are clean, or where the station itself is broken, there is no number
but reasons.

Left out: how the effect grows over time; what other roads got (each station has a row of its own).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import Any

import polars as pl

from pipelines.marts.ring_road.effect.diagnostics import (
    Checks,
    Rehearsal,
    check,
    failures,
    rehearse,
)
from pipelines.marts.ring_road.effect.panel import WEEK_DAYS, Panel, build_panel, why_no_sum
from pipelines.marts.ring_road.effect.placebo import estimate
from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.effect.screening import Screened, screen
from pipelines.marts.ring_road.effect.synthetic_did import fit_to

NOTHING: Mapping[str, Any] = MappingProxyType({})
METHOD = "synthetic difference in differences on four-week means of log volumes, placebo stations"


@dataclass(frozen=True)
class Basis:
    """What an answer stands on: spans of whole blocks of periods (counted in periods), what was
    left out or filled, the plan.

    Dates are first days of periods. `filled_period_count` is the treated station's. `left_out` has
    controls with their reasons.
    """

    first_before_date: date | None
    last_before_date: date | None
    before_count: int
    first_after_date: date | None
    last_after_date: date | None
    after_count: int
    control_count: int
    left_out: Mapping[str, str]
    left_out_period_count: int
    filled_period_count: int
    plan_sha256: str


@dataclass(frozen=True)
class Effect:
    """The estimate for one treated station and one event; the other methods are in `checks`.

    `standard_error` is that of the log ratio.
    """

    station_id: str
    event_id: str
    headline: Ratio
    standard_error: float
    rank_p_value: float
    checks: Checks
    basis: Basis


@dataclass(frozen=True)
class Refusal:
    """No number for one treated station and one event, and why."""

    station_id: str
    event_id: str
    reasons: tuple[str, ...]
    basis: Basis


def headlines(
    outcomes: pl.DataFrame,
    *,
    treated_ids: Iterable[str],
    control_ids: Iterable[str],
    event_id: str,
    plan: Plan,
    sums: Mapping[str, Collection[str]] = NOTHING,
    unfit: Mapping[str, str] = NOTHING,
    period_days: int = WEEK_DAYS,
) -> list[Effect | Refusal]:
    """One answer for each treated station, in order of ids, then one for each sum of such.

    `outcomes` has (station_id, period_date, outcome), logs of volumes as of `weekly_outcomes`.
    `unfit` says of stations why nothing of theirs is to be trusted. Raises what `build_panel`
    raises; `KeyError` for an event that the plan does not hold.
    """
    controls = set(control_ids)
    wanted = sorted(set(treated_ids))
    periods = build_panel(
        outcomes.filter(~pl.col("station_id").is_in(list(unfit))),
        treated_ids=wanted,
        control_ids=controls,
        window=plan.window(event_id),
        period_days=period_days,
        plan=plan,
    )
    reasons = {name: told for name, told in unfit.items() if name in controls.union(wanted)}
    panel = periods.without_controls(reasons).with_sums(sums)
    screened = _with_sums_broken(_screened(panel.trimmed(plan.block_periods), plan), sums)
    rehearsal = None if screened.refusals else rehearse(screened, plan)
    return [_answer(name, event_id, screened, rehearsal, plan) for name in panel.treated_ids]


def _screened(panel: Panel, plan: Plan) -> Screened:
    """The panel screened, with what rules out every treated station's estimate."""
    short = []
    if panel.before_count < plan.fewest_before_periods:
        short.append(
            f"{panel.before_count} periods before the event, of {plan.fewest_before_periods} needed"
        )
    if panel.after_count < plan.fewest_after_periods:
        short.append(
            f"{panel.after_count} periods after the event, of {plan.fewest_after_periods} needed"
        )
    if short or not panel.control_ids:
        short += [] if panel.control_ids else ["no control has enough outcomes"]
        return Screened(panel, {}, tuple(short), 0.0)
    screened = screen(panel, plan)
    clean = len(screened.panel.control_ids)
    if clean >= plan.fewest_controls:
        return screened
    told = f"{clean} clean controls, of {plan.fewest_controls} needed"
    return replace(screened, refusals=(*screened.refusals, told))


def _with_sums_broken(screened: Screened, sums: Mapping[str, Collection[str]]) -> Screened:
    """A sum one of whose stations broke is broken too, even where it doesn't show in the sum."""
    broken = screened.broken_treated
    told = {
        name: why
        for name, members in sums.items()
        if members and (why := why_no_sum(members, broken))
    }
    return replace(screened, broken_treated={**broken, **told})


def _answer(
    name: str, event_id: str, screened: Screened, rehearsal: Rehearsal | None, plan: Plan
) -> Effect | Refusal:
    panel = screened.panel
    basis = _basis(name, panel, plan)
    reasons = list(screened.refusals)
    if name in panel.left_out:
        reasons.append(f"the station: {panel.left_out[name]}")
    if name in screened.broken_treated:
        reasons.append(f"the station: {screened.broken_treated[name]}")
    if reasons or rehearsal is None:
        return Refusal(name, event_id, tuple(reasons), basis)
    fit = fit_to(rehearsal.panel.treated[name], rehearsal.at_event.donors)
    found = estimate(fit, rehearsal.at_event.fits, plan.interval_level)
    checks = check(name, fit, found, rehearsal, plan)
    if failed := failures(checks, plan):
        return Refusal(name, event_id, failed, basis)
    return Effect(
        station_id=name,
        event_id=event_id,
        headline=found.as_ratio(),
        standard_error=found.standard_error,
        rank_p_value=found.rank_p_value,
        checks=checks,
        basis=basis,
    )


def _basis(name: str, panel: Panel, plan: Plan) -> Basis:
    dates, before = panel.period_dates, panel.before_count
    return Basis(
        first_before_date=dates[0] if before else None,
        last_before_date=dates[before - 1] if before else None,
        before_count=before,
        first_after_date=dates[before] if panel.after_count else None,
        last_after_date=dates[-1] if panel.after_count else None,
        after_count=panel.after_count,
        control_count=len(panel.control_ids),
        left_out={
            key: told for key, told in panel.left_out.items() if key not in panel.treated_ids
        },
        left_out_period_count=panel.left_out_period_count,
        filled_period_count=panel.filled_counts.get(name, 0),
        plan_sha256=plan.sha256(),
    )
