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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from pipelines.marts.ring_road.effect.diagnostics import (
    Checks,
    Rehearsal,
    check,
    failures,
    rehearse,
)
from pipelines.marts.ring_road.effect.panel import WEEK_DAYS, Panel, build_panel
from pipelines.marts.ring_road.effect.placebo import estimate
from pipelines.marts.ring_road.effect.plan import PLAN, Plan
from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.effect.screening import Screened, screen
from pipelines.marts.ring_road.effect.synthetic_did import synthetic_did

METHOD = "synthetic difference in differences on four-week means of log volumes, placebo stations"


@dataclass(frozen=True)
class Basis:
    """What an answer stands on: spans of whole blocks of periods (counted in periods), what was
    left out or filled, the plan.

    `filled_period_count` is the treated station's. `left_out` has controls with their reasons.
    """

    first_before_date: date | None
    before_count: int
    first_after_date: date | None
    after_count: int
    control_count: int
    left_out: Mapping[str, str]
    left_out_period_count: int
    filled_period_count: int
    plan_sha256: str


@dataclass(frozen=True)
class Effect:
    """The estimate for one treated station and one event; the other methods are in `checks`."""

    station_id: str
    event_id: str
    headline: Ratio
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
    period_days: int = WEEK_DAYS,
    plan: Plan = PLAN,
) -> list[Effect | Refusal]:
    """One answer for each treated station, in order of ids.

    `outcomes` has (station_id, period_date, outcome), logs of volumes as of `weekly_outcomes`.
    Raises what `build_panel` raises; `KeyError` for an event that the plan does not hold.
    """
    wanted = sorted(set(treated_ids))
    periods = build_panel(
        outcomes,
        treated_ids=wanted,
        control_ids=control_ids,
        window=plan.window(event_id),
        period_days=period_days,
        plan=plan,
    )
    screened = _screened(periods.trimmed(plan.block_periods), plan)
    rehearsal = None if screened.refusals else rehearse(screened, plan)
    return [_answer(name, event_id, screened, rehearsal, plan) for name in wanted]


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
    blocks = rehearsal.panel
    fit = synthetic_did(blocks.treated[name], blocks.controls, blocks.before_count)
    found = estimate(fit, rehearsal.fits, plan.interval_level)
    checks = check(name, fit, found, rehearsal, plan)
    if failed := failures(checks, plan):
        return Refusal(name, event_id, failed, basis)
    return Effect(name, event_id, found.as_ratio(), found.rank_p_value, checks, basis)


def _basis(name: str, panel: Panel, plan: Plan) -> Basis:
    dates, before = panel.period_dates, panel.before_count
    return Basis(
        first_before_date=dates[0] if before else None,
        before_count=before,
        first_after_date=dates[before] if panel.after_count else None,
        after_count=panel.after_count,
        control_count=len(panel.control_ids),
        left_out={
            key: told for key, told in panel.left_out.items() if key not in panel.treated_ids
        },
        left_out_period_count=panel.left_out_period_count,
        filled_period_count=panel.filled_counts.get(name, 0),
        plan_sha256=plan.sha256(),
    )
