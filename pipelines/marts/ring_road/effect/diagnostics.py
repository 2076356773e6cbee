"""Checks that stand beside an estimate and decide whether it may be printed.

- *fit before*: RMSE of the treated station's gap to its synthetic one before the event, as a share
  of its own standard deviation then (above 1 its own mean would do better), and as a multiple of
  the median control's (what placebo stations tell of doubt holds for a station that fits as well);
- *placebo dates*: the same estimate at false dates before the event, from periods before it alone,
  each in its own standard errors;
- *placebo stations*: how many controls would have claimed an effect as the treated one does; about
  one in twenty should (told, without a limit: the standard error is made from them);
- *leave one out*: the estimate without each control in turn; the largest change in standard errors;
- *sign*: whether difference in differences, synthetic control and interrupted time series point
  the same way, with at least `least_agreeing_share` of the effect (a step of nothing has some sign
  too). Two that lie within `agreement_log_ratio` of each other agree whatever their signs;
- *clean controls*: their number, and how far they moved apart at the event (`screening`).

All are of blocks of `block_periods`, but the interrupted series, which knows how periods remember
each other. What depends on the controls alone is computed once for all treated stations
(`rehearse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import inf, log

import numpy as np

from pipelines.marts.ring_road.effect.did import difference_in_differences
from pipelines.marts.ring_road.effect.interrupted import station_step
from pipelines.marts.ring_road.effect.panel import Panel
from pipelines.marts.ring_road.effect.placebo import (
    Estimate,
    Fit,
    Method,
    estimate,
    fit_ratio,
    placebo_effects,
    placebo_fits,
)
from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.effect.screening import Screened
from pipelines.marts.ring_road.effect.simplex import Floats
from pipelines.marts.ring_road.effect.synthetic_control import centred_synthetic_control
from pipelines.marts.ring_road.effect.synthetic_did import Donors, donors_of, fit_to

DID = "difference in differences"
CONTROL = "synthetic control"
INTERRUPTED = "interrupted time series"
COMPARED: Mapping[str, Method] = {
    DID: difference_in_differences,
    CONTROL: centred_synthetic_control,
}


@dataclass(frozen=True)
class PlaceboDate:
    """Estimate at a false date: the log ratio, and the same in standard errors."""

    period_date: date
    effect: float
    effect_in_errors: float


@dataclass(frozen=True)
class Checks:
    """See the module's docstring; `others` are the methods beside the headline's."""

    control_count: int
    control_spread_ratio: float
    before_rmse: float
    before_rmse_share: float
    before_rmse_ratio: float
    placebo_dates: tuple[PlaceboDate, ...]
    claiming_placebo_count: int
    leave_one_out_errors: float
    leave_one_out_id: str
    others: Mapping[str, Ratio]
    disagreeing: tuple[str, ...]

    @property
    def placebo_date_errors(self) -> float:
        """Largest size of the false dates' estimates, in standard errors."""
        return max((abs(placebo.effect_in_errors) for placebo in self.placebo_dates), default=0.0)


@dataclass(frozen=True, eq=False)
class Placebos:
    """The headline's method at one date: its controls, and without each of them the fit of it."""

    donors: Donors
    without_each: list[Donors]
    fits: list[Fit]


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Placebo fits of all controls: at the event, by other methods, and at false dates."""

    panel: Panel  # of blocks
    periods: Panel
    control_spread_ratio: float
    at_event: Placebos
    others: Mapping[str, list[Fit]]
    false: Mapping[int, Placebos]  # by the number of periods before the false date


def rehearse(screened: Screened, plan: Plan) -> Rehearsal:
    """Treat each control in turn, at the event and at the false dates."""
    panel = screened.panel.in_blocks(plan.block_periods)
    before = panel.before_count
    shares = np.linspace(
        plan.first_placebo_date_share, plan.last_placebo_date_share, plan.placebo_date_count
    )
    history = panel.controls[:, :before]
    return Rehearsal(
        panel=panel,
        periods=screened.panel,
        control_spread_ratio=screened.spread_ratio,
        at_event=_placebos(panel.controls, before),
        others={
            kind: placebo_fits(method, panel.controls, before) for kind, method in COMPARED.items()
        },
        false={
            count: _placebos(history, count) for count in (int(share * before) for share in shares)
        },
    )


def _placebos(controls: Floats, before_count: int) -> Placebos:
    without_each = [
        donors_of(np.delete(controls, row, axis=0), before_count) for row in range(len(controls))
    ]
    fits = [fit_to(row, others) for row, others in zip(controls, without_each, strict=True)]
    return Placebos(donors_of(controls, before_count), without_each, fits)


def check(name: str, fit: Fit, found: Estimate, rehearsal: Rehearsal, plan: Plan) -> Checks:
    """All checks of one treated station's headline estimate."""
    panel, periods = rehearsal.panel, rehearsal.periods
    treated, before = panel.treated[name], panel.before_count
    spread = float(treated[:before].std(ddof=1))
    changes = np.abs(_leave_one_out(treated, rehearsal) - fit.effect)
    others: dict[str, Ratio] = {
        kind: estimate(
            method(treated, panel.controls, before), rehearsal.others[kind], plan.interval_level
        ).as_ratio()
        for kind, method in COMPARED.items()
    }
    others[INTERRUPTED] = station_step(
        periods.treated[name], periods.period_dates, periods.before_count, plan
    )
    placebos = rehearsal.at_event.fits
    claiming = np.abs(placebo_effects(placebos)) > (found.high - found.low) / 2
    return Checks(
        control_count=len(panel.control_ids),
        control_spread_ratio=rehearsal.control_spread_ratio,
        before_rmse=fit.before_rmse,
        before_rmse_share=_ratio(fit.before_rmse, spread),
        before_rmse_ratio=fit_ratio(fit, placebos),
        placebo_dates=_placebo_dates(treated, rehearsal, plan),
        claiming_placebo_count=int(claiming.sum()),
        leave_one_out_errors=_ratio(float(changes.max()), found.standard_error),
        leave_one_out_id=panel.control_ids[int(changes.argmax())],
        others=others,
        disagreeing=tuple(
            kind
            for kind, other in others.items()
            if not is_agreeing(fit.effect, log(other.ratio), plan)
        ),
    )


def failures(checks: Checks, plan: Plan) -> tuple[str, ...]:
    """Why the estimate may not be printed, without telling it; empty where it may."""
    limits = (
        (
            "fit before the event, error as a share of the station's own spread",
            checks.before_rmse_share,
            plan.worst_before_rmse_share,
        ),
        (
            "fit before the event, error as a multiple of placebo stations'",
            checks.before_rmse_ratio,
            plan.worst_before_rmse_ratio,
        ),
        (
            "effect at a date at which nothing happened, in standard errors",
            checks.placebo_date_errors,
            plan.most_placebo_date_errors,
        ),
        (
            f"change without the control {checks.leave_one_out_id}, in standard errors",
            checks.leave_one_out_errors,
            plan.most_leave_one_out_errors,
        ),
    )
    told = [f"{what}: {value:.2f} (limit {most:g})" for what, value, most in limits if value > most]
    if len(checks.others) - len(checks.disagreeing) < plan.fewest_agreeing_methods:
        told.append(f"sign: {' and '.join(checks.disagreeing)} against the estimate")
    return tuple(told)


def _leave_one_out(treated: Floats, rehearsal: Rehearsal) -> Floats:
    """The effect without each control in turn."""
    return np.array([fit_to(treated, rest).effect for rest in rehearsal.at_event.without_each])


def _placebo_dates(treated: Floats, rehearsal: Rehearsal, plan: Plan) -> tuple[PlaceboDate, ...]:
    panel = rehearsal.panel
    before = treated[: panel.before_count]
    told = []
    for count, placebos in rehearsal.false.items():
        found = estimate(fit_to(before, placebos.donors), placebos.fits, plan.interval_level)
        errors = _ratio(found.effect, found.standard_error)
        told.append(PlaceboDate(panel.period_dates[count], found.effect, errors))
    return tuple(told)


def is_agreeing(effect: float, other: float, plan: Plan) -> bool:
    """Whether another log ratio points the same way as the effect, or is near it."""
    has_sign = other * effect >= plan.least_agreeing_share * effect**2
    return has_sign or abs(effect - other) <= plan.agreement_log_ratio


def _ratio(value: float, unit: float) -> float:
    return value / unit if unit > 0 else inf
