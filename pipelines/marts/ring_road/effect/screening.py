"""Stations that can't be trusted: those that broke, and controls that changed at the event.

**Broken.** Each station's deviation from the controls' median is searched for a lasting jump within
the periods before the event, and within those after it, where no event explains one. A jump is the
lesser, in size, of two measures over `broken_window_periods` on either side: the difference of the
medians (which one odd week can't make) and the step between the two lines fitted there (which a
season of the station's own can't make); none where they disagree in sign. It breaks the station
above `broken_errors` robust standard deviations of the controls' jumps, and `broken_log_ratio`.

**Changed at the event.** A control is clean only if the event left it alone. Its shift is its mean
over `screen_window_periods` after the event less that before, less the median control's; the
shifts at all false dates before the event tell how much controls shift by themselves. (The windows
are shorter where `screen_windows_before` of them would not fit before the event.) A control that
shifts by more than `changed_control_errors` of their robust standard deviation, and by more than
`changed_control_log_ratio`, has changed. More than `most_changed_share` of them, or a spread of
those left above `most_control_spread_ratio` times the widest at any false date, and none is
trusted.

What can't be seen: a change that all controls share (no comparison shows it), one within
`broken_window_periods` of an edge, one that comes slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipelines.marts.ring_road.effect.panel import Panel
from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road.effect.simplex import Floats

# Median absolute deviation times this is a normal distribution's standard deviation.
MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Screened:
    """The panel without untrusted controls; treated stations that broke; why none may be printed.

    `spread_ratio` is the controls' spread at the event over the widest at a false date.
    """

    panel: Panel
    broken_treated: dict[str, str]
    refusals: tuple[str, ...]
    spread_ratio: float


def screen(panel: Panel, plan: Plan) -> Screened:
    """Leave out controls that broke or changed, and say which treated stations broke.

    The panel has controls, and periods before and after the event.
    """
    broken, broken_treated = _broken(panel, plan)
    sound = panel.without_controls(broken)
    if len(sound.control_ids) < plan.fewest_controls:
        return Screened(sound, broken_treated, (), 0.0)
    changed, spread_ratio = _changed(sound, plan)
    refusals = []
    if len(changed) > plan.most_changed_share * len(sound.control_ids):
        refusals.append(
            f"{len(changed)} of {len(sound.control_ids)} controls changed at the event themselves"
        )
    elif spread_ratio > plan.most_control_spread_ratio:
        refusals.append(
            f"controls moved apart at the event {spread_ratio:.1f} times as far as at any false"
            f" date (limit {plan.most_control_spread_ratio:g})"
        )
    return Screened(sound.without_controls(changed), broken_treated, tuple(refusals), spread_ratio)


def jumps(deviations: Floats, width: int) -> Floats:
    """Jump at each boundary between `width` periods and the next, by station: n - 2 width + 1."""
    if deviations.shape[1] < 2 * width:
        return np.zeros((len(deviations), 0))
    spans = sliding_window_view(deviations, width, axis=1)
    before, after = spans[:, :-width], spans[:, width:]
    steps: Floats = np.median(after, axis=2) - np.median(before, axis=2)
    # Where the line through a span arrives at the boundary, half a period beyond its last one.
    places = np.arange(width) - (width - 0.5)
    at_boundary = np.linalg.pinv(np.stack([np.ones(width), places], axis=1))[0]
    lines = after @ at_boundary[::-1] - before @ at_boundary
    lesser = np.minimum(np.abs(steps), np.abs(lines))
    found: Floats = np.where(steps * lines > 0, np.sign(steps) * lesser, 0.0)
    return found


def _broken(panel: Panel, plan: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """Reasons by station: of controls, of treated ones."""
    names = [*panel.control_ids, *panel.treated]
    outcomes = np.concatenate([panel.controls, *(row[None] for row in panel.treated.values())])
    width, before = plan.broken_window_periods, panel.before_count
    deviations = _deviations(outcomes, len(panel.control_ids))
    spans = (deviations[:, :before], deviations[:, before:])
    found = np.concatenate([jumps(span, width) for span in spans], axis=1)
    if not found.size:
        return {}, {}
    places = [
        *range(width, before - width + 1),
        *range(before + width, len(panel.period_dates) - width + 1),
    ]
    sizes = np.abs(found[: len(panel.control_ids)])
    scale = MAD_TO_DEVIATION * float(np.median(sizes[sizes > 0])) if sizes.any() else 0.0
    limit = max(plan.broken_errors * scale, plan.broken_log_ratio)
    largest = np.abs(found).argmax(axis=1)
    reasons = {}
    for name, row, place in zip(names, found, largest, strict=True):
        if abs(row[place]) > limit:
            day = panel.period_dates[places[place]]
            change = 100 * np.expm1(row[place])
            reasons[name] = f"level jumps by {change:+.0f} % at {day}, which no event explains"
    controls = {name: told for name, told in reasons.items() if name not in panel.treated}
    return controls, {name: told for name, told in reasons.items() if name in panel.treated}


def _deviations(outcomes: Floats, control_count: int) -> Floats:
    """Deviations of centred outcomes from the median control's."""
    centred = outcomes - outcomes.mean(axis=1, keepdims=True)
    deviations: Floats = centred - np.median(centred[:control_count], axis=0)
    return deviations


def _changed(panel: Panel, plan: Plan) -> tuple[dict[str, str], float]:
    """Controls that changed at the event, with reasons; spread of the others (see above)."""
    before = panel.before_count
    width = min(plan.screen_window_periods, before // plan.screen_windows_before, panel.after_count)
    false = np.stack(
        [_shifts(panel.controls, place, width) for place in range(width, before - width + 1)]
    )
    shifts = _shifts(panel.controls, before, width)
    own = MAD_TO_DEVIATION * float(np.median(np.abs(false)))
    limit = max(plan.changed_control_errors * own, plan.changed_control_log_ratio)
    is_changed = np.abs(shifts) > limit
    reasons = {
        name: f"a control that changed by {100 * np.expm1(shift):+.0f} % at the event itself"
        for name, shift, changed in zip(panel.control_ids, shifts, is_changed, strict=True)
        if changed
    }
    widest = float(np.median(np.abs(false), axis=1).max())
    left = shifts[~is_changed]
    spread = float(np.median(np.abs(left - np.median(left)))) if len(left) else np.inf
    return reasons, spread / widest if widest > 0 else np.inf


def _shifts(controls: Floats, place: int, width: int) -> Floats:
    """Each control's mean of `width` periods from `place` on less that before, less the median."""
    after = controls[:, place : place + width].mean(axis=1)
    shifts = after - controls[:, place - width : place].mean(axis=1)
    centred: Floats = shifts - np.median(shifts)
    return centred
