"""Interrupted time series: the treated station against its own past, without any control.

    log E(count) = a + b after + c time + offset + for each harmonic pair k: sin, cos 2 pi k phase

by Poisson's likelihood (statsmodels' GLM); exp(b) is the ratio of the level after to the one that
trend and season alone would have. Three kinds of standard error:

- *Poisson*: variance = mean, the textbook's;
- *quasi-Poisson*: times Pearson's chi-square / degrees of freedom, for counts that scatter more;
- *HAC*: Newey and West's, for counts that scatter more and remember their past as well, with
  4 (n / 100)^(2/9) lags; what traffic is given.

Source of the design: Lopez Bernal, Cummins and Gasparrini, International Journal of Epidemiology
46 (2017). One trend runs through both spans: an effect that grows is partly taken for trend. It
uses no control, so that controls which all changed at the event show as disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import exp, pi
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.effect.simplex import Floats

Errors = Literal["Poisson", "quasi-Poisson", "HAC"]
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class StepRatio(Ratio):
    """Ratio of the level after an event to the one that trend and season alone would have.

    `dispersion` is Pearson's chi-square over degrees of freedom: 1 for Poisson counts.
    """

    dispersion: float


def step_ratio(
    counts: Floats,
    is_after: npt.NDArray[np.bool_],
    time: Floats,
    *,
    offset: Floats | None = None,
    phase: Floats | None = None,
    harmonic_pairs: int = 0,
    errors: Errors = "quasi-Poisson",
    level: float = 0.95,
) -> StepRatio:
    """From counts in order of time; `phase` is the place in the season's cycle, 0 to 1."""
    from statsmodels.genmod.families import Poisson
    from statsmodels.genmod.generalized_linear_model import GLM

    columns = [np.ones(len(counts)), is_after.astype(np.float64), time]
    if phase is not None:
        for pair in range(1, harmonic_pairs + 1):
            columns += [np.sin(2 * pi * pair * phase), np.cos(2 * pi * pair * phase)]
    model = GLM(counts, np.stack(columns, axis=1), family=Poisson(), offset=offset)
    fitted = model.fit(**_errors(errors, len(counts)))
    low, high = fitted.conf_int(alpha=1 - level)[1]
    return StepRatio(
        ratio=exp(fitted.params[1]),
        low=exp(low),
        high=exp(high),
        p_value=float(fitted.pvalues[1]),
        dispersion=float(fitted.pearson_chi2 / fitted.df_resid),
    )


def _errors(errors: Errors, count: int) -> dict[str, Any]:
    if errors == "Poisson":
        return {"scale": 1.0}
    if errors == "quasi-Poisson":
        return {"scale": "X2"}
    lags = int(4 * (count / 100) ** (2 / 9))
    return {"scale": "X2", "cov_type": "HAC", "cov_kwds": {"maxlags": lags}}


def station_step(
    outcomes: Floats, period_dates: tuple[date, ...], before_count: int, plan: Plan
) -> StepRatio:
    """The step of one station whose outcomes are logs of daily volumes."""
    days = np.array([day.toordinal() for day in period_dates], dtype=np.float64)
    return step_ratio(
        np.exp(outcomes),
        np.arange(len(outcomes)) >= before_count,
        (days - days[before_count]) / YEAR_DAYS,
        phase=days / YEAR_DAYS % 1.0,
        harmonic_pairs=plan.harmonic_pairs,
        errors="HAC",
        level=plan.interval_level,
    )
