from __future__ import annotations

import pytest

from pipelines.brief.change import Change, Estimate, change_between


def test_a_change_s_interval_is_made_of_both_figures_distances() -> None:
    # 0.6 (0.57 to 0.64) less 0.5 (0.46 to 0.54): down by root of 0.03^2 + 0.04^2, up by root of
    # 0.04^2 + 0.04^2.
    change = change_between(Estimate(0.5, 0.46, 0.54), Estimate(0.6, 0.57, 0.64))
    assert change.value == pytest.approx(0.1)
    assert change.low == pytest.approx(0.05)
    assert change.high == pytest.approx(0.1 + 0.04 * 2**0.5)


def test_a_change_of_figures_without_intervals_has_none() -> None:
    assert change_between(Estimate(0.5), Estimate(0.6, 0.5, 0.7)) == Change(
        pytest.approx(0.1)  # type: ignore[arg-type]  # compares as a float
    )


@pytest.mark.parametrize(
    ("change", "rising", "verdict"),
    [
        (Change(0.1), True, "better"),
        (Change(0.1), False, "worse"),
        (Change(-0.1), False, "better"),
        (Change(0.1, -0.01, 0.21), True, "no_change"),
        (Change(0.1, 0.01, 0.19), True, "better"),
        (Change(0.0004), True, "no_change"),
    ],
)
def test_a_verdict_asks_for_direction_and_interval(
    change: Change, rising: bool, verdict: str
) -> None:
    assert change.verdict(rising_is_better=rising) == verdict
