"""Difference in differences: the treated station's change less the controls' mean change.

    effect = (mean after - mean before of the treated) - (the same of the controls' mean)

Every control and every period count alike. It asks that the treated station would have moved like
the mean of the controls.
"""

from __future__ import annotations

from pipelines.marts.ring_road.effect.placebo import Fit, before_rmse
from pipelines.marts.ring_road.effect.simplex import Floats


def difference_in_differences(treated: Floats, controls: Floats, before_count: int) -> Fit:
    """From outcomes by period of one treated station and by station and period of the controls."""
    gap = treated - controls.mean(axis=0)
    before, after = gap[:before_count], gap[before_count:]
    return Fit(float(after.mean() - before.mean()), before_rmse(before, before.mean()))
