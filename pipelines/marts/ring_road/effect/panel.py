"""From station-days to a balanced panel: a row for each station, a column for each period.

**Outcome.** The mean over a week (Monday to Sunday) of the logs of daily volumes, each day's log
less the station's mean log on that day of the week and plus its mean log: a difference of outcomes
is the log of a ratio, and a missing Sunday does not lift its week. Weeks, because days remember
each other and share a weekly shape: seven of them are one observation that hardly does, and there
are seven times fewer. Days without vehicles, and days of `stuck_days` equal counts in a row, are
a broken sensor's and are missing; weeks with fewer than `fewest_days_per_week` days are too.

**Blocks.** Stations are screened by weeks, effects estimated on means of `block_periods` of them,
counted from the event backwards and from its settled date on; odd weeks at the far ends are left
out. With 75 weeks before and 40 controls the time weights could fit the controls' noise, and 95 %
intervals covered 92 % of simulated truths; with blocks of four, and the degrees of freedom that
the weights use (`placebo`), 95 %.

**Gaps.** A period in which most controls have no outcome is left out for all. A station with a
longer gap than `longest_gap_periods`, or with more than `most_missing_share` missing, is left out
with the reason. Other gaps are filled: the median of all stations' deviations from their means in
that period, plus the station's own deviation from that median, interpolated. The number of filled
periods is told.

Periods between the event's first day and its settled one are neither before nor after (`plan`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.errors import ContractError
from pipelines.marts.ring_road.effect.plan import PLAN, Plan, Window
from pipelines.marts.ring_road.effect.simplex import Floats

WEEK_DAYS = 7
NO_OUTCOME = "no outcome in any period before or after the event"

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Panel:
    """Outcomes of the same periods for every station: the controls, and the treated stations.

    The first `before_count` periods lie before the event, the others after it.
    """

    control_ids: tuple[str, ...]
    controls: Floats  # stations x periods
    treated_ids: tuple[str, ...]  # as asked for, whether or not they could be kept
    treated: Mapping[str, Floats]
    period_dates: tuple[date, ...]
    before_count: int
    left_out: Mapping[str, str]  # station id to the reason
    filled_counts: Mapping[str, int]  # station id to its interpolated periods, where there are any
    left_out_period_count: int

    @property
    def after_count(self) -> int:
        """Periods after the event."""
        return len(self.period_dates) - self.before_count

    def trimmed(self, size: int) -> Panel:
        """The panel of whole blocks of `size` periods on either side of the event."""
        first = self.before_count % size
        last = len(self.period_dates) - self.after_count % size
        return replace(
            self,
            controls=self.controls[:, first:last],
            treated={name: row[first:last] for name, row in self.treated.items()},
            period_dates=self.period_dates[first:last],
            before_count=self.before_count - first,
        )

    def in_blocks(self, size: int) -> Panel:
        """Means of blocks of `size` periods, each under its first date."""
        whole = self.trimmed(size)
        return replace(
            whole,
            controls=_block_means(whole.controls, size),
            treated={name: _block_means(row, size) for name, row in whole.treated.items()},
            period_dates=whole.period_dates[::size],
            before_count=whole.before_count // size,
        )

    def without_controls(self, reasons: Mapping[str, str]) -> Panel:
        """The panel without some controls, which `left_out` then has."""
        kept = [row for row, name in enumerate(self.control_ids) if name not in reasons]
        return replace(
            self,
            control_ids=tuple(self.control_ids[row] for row in kept),
            controls=self.controls[kept],
            left_out={**self.left_out, **reasons},
        )

    def with_sums(self, sums: Mapping[str, Collection[str]]) -> Panel:
        """The panel with sums of treated stations' volumes as treated stations of their own.

        A sum one of whose stations is left out is left out itself.
        """
        treated, reasons = dict(self.treated), dict(self.left_out)
        filled = dict(self.filled_counts)
        for name, members in sums.items():
            if told := why_no_sum(members, self.left_out):
                reasons[name] = told
                continue
            treated[name] = np.logaddexp.reduce([self.treated[member] for member in members])
            if count := sum(filled.get(member, 0) for member in members):
                filled[name] = count
        return replace(
            self,
            treated_ids=(*self.treated_ids, *sums),
            treated=treated,
            left_out=reasons,
            filled_counts=filled,
        )


def why_no_sum(members: Collection[str], unusable: Mapping[str, str]) -> str | None:
    """Why there is no sum of these stations, given those that can't be used; None where there is.

    Without one of them it would be another sum.
    """
    if not members:
        return "a sum of no stations"
    missing = [f"{name} ({unusable[name]})" for name in members if name in unusable]
    if not missing:
        return None
    return f"{len(missing)} of the {len(members)} summed can't be used: {', '.join(missing)}"


def weekly_outcomes(days: pl.DataFrame, plan: Plan = PLAN) -> pl.DataFrame:
    """One row per station and week (its Monday): outcome (null: too few days), counts of days.

    `days` has (station_id, service_date, vehicle_count), vehicles a day, null where not counted;
    a day twice is a `ContractError`.
    """
    _refuse_repeated(days, ("station_id", "service_date"))
    by_station = "station_id"
    by_weekday = (by_station, pl.col("service_date").dt.weekday())
    count = pl.col("vehicle_count")
    is_counted = (count > 0) & ~pl.col("is_stuck")
    log = pl.when(is_counted).then(count.cast(pl.Float64).log())
    weekday_shape = log.mean().over(*by_weekday) - log.mean().over(by_station)
    return (
        days.sort("station_id", "service_date")
        .with_columns(run=count.rle_id().over(by_station))
        .with_columns(is_stuck=_is_stuck(plan).fill_null(False))
        .with_columns(log=log - weekday_shape)
        .group_by("station_id", period_date=pl.col("service_date").dt.truncate("1w"))
        .agg(
            outcome=pl.col("log").mean(),
            day_count=pl.col("log").count().cast(pl.Int64),
            stuck_day_count=pl.col("is_stuck").sum().cast(pl.Int64),
        )
        .with_columns(
            pl.when(pl.col("day_count") >= plan.fewest_days_per_week).then(pl.col("outcome"))
        )
        .sort("station_id", "period_date")
    )


def _is_stuck(plan: Plan) -> pl.Expr:
    length = pl.len().over("station_id", "run")
    return (pl.col("vehicle_count") > 0) & (length >= plan.stuck_days)


def build_panel(
    outcomes: pl.DataFrame,
    *,
    treated_ids: Iterable[str],
    control_ids: Iterable[str],
    window: Window,
    period_days: int = WEEK_DAYS,
    plan: Plan = PLAN,
) -> Panel:
    """Balanced panel of the periods before and after an event.

    `outcomes` has (station_id, period_date, outcome), the period's first day and null where there
    is none; other columns but `stuck_day_count` are ignored. Raises `ContractError` where a
    station's period comes twice or a station is treated and a control.
    """
    _refuse_repeated(outcomes, ("station_id", "period_date"))
    treated, controls = sorted(set(treated_ids)), sorted(set(control_ids))
    if both := sorted(set(treated) & set(controls)):
        raise ContractError(
            f"{len(both)} stations are both treated and controls, among them {both[0]}.",
            "Give each station one role: what the road changes can't tell what it changed.",
        )
    stations = [*controls, *treated]
    rows = outcomes.filter(pl.col("station_id").is_in(stations))
    values, dates = _matrix(rows, stations, window, period_days)
    is_kept = _kept_periods(values, len(controls), plan)
    absent = _absent_periods(dates, window, period_days)
    values = values[:, is_kept]
    dates = tuple(day for day, keep in zip(dates, is_kept, strict=True) if keep)
    reasons = _gap_reasons(rows, values, stations, plan)
    kept = [row for row, name in enumerate(stations) if name not in reasons]
    gaps = np.isnan(values).sum(axis=1)
    filled = _filled(values[kept])
    kept_controls = [name for name in controls if name not in reasons]
    kept_treated = [name for name in treated if name not in reasons]
    return Panel(
        control_ids=tuple(kept_controls),
        controls=filled[: len(kept_controls)],
        treated_ids=tuple(treated),
        treated=dict(zip(kept_treated, filled[len(kept_controls) :], strict=True)),
        period_dates=dates,
        before_count=sum(window.is_before(day, period_days) for day in dates),
        left_out=reasons,
        filled_counts={stations[row]: int(gaps[row]) for row in kept if gaps[row]},
        left_out_period_count=int((~is_kept).sum()) + absent,
    )


def _refuse_repeated(rows: pl.DataFrame, keys: tuple[str, str]) -> None:
    repeated = rows.filter(rows.select(keys).is_duplicated()).select(keys)
    if repeated.height:
        raise ContractError(
            f"{repeated.height} rows share {' and '.join(keys)}, among them {repeated.row(0)}.",
            "Give one row for each.",
        )


def _matrix(
    rows: pl.DataFrame, stations: list[str], window: Window, period_days: int
) -> tuple[Floats, tuple[date, ...]]:
    """Outcomes by station and period, NaN where there is none; the periods' first days."""
    dates = tuple(
        day
        for day in sorted(rows.get_column("period_date").unique())
        if window.is_before(day, period_days) or window.is_after(day, period_days)
    )
    known = rows.filter(pl.col("period_date").is_in(dates) & pl.col("outcome").is_finite())
    values = np.full((len(stations), len(dates)), np.nan)
    row_of = {name: row for row, name in enumerate(stations)}
    column_of = {day: column for column, day in enumerate(dates)}
    values[
        [row_of[name] for name in known.get_column("station_id")],
        [column_of[day] for day in known.get_column("period_date")],
    ] = known.get_column("outcome")
    return values, dates


def _kept_periods(values: Floats, control_count: int, plan: Plan) -> Bools:
    """Periods in which enough controls have an outcome; the first rows are the controls'.

    Treated stations that opened with the road would rule out all periods before it.
    """
    has_outcome = ~np.isnan(values)
    counting = has_outcome[:control_count]
    counting = counting[counting.any(axis=1)]
    if not len(counting):
        counting = has_outcome[has_outcome.any(axis=1)]
    kept: Bools = counting.sum(axis=0) >= plan.fewest_station_share * max(1, len(counting))
    return kept


def _absent_periods(dates: tuple[date, ...], window: Window, period_days: int) -> int:
    """Periods between the first and the last of a span that no station has a row for."""
    return sum(
        round((following - day).days / period_days) - 1
        for day, following in pairwise(dates)
        if window.is_before(day, period_days) == window.is_before(following, period_days)
    )


def _gap_reasons(
    rows: pl.DataFrame, values: Floats, stations: list[str], plan: Plan
) -> dict[str, str]:
    """Stations that can't be filled, and why."""
    stuck: dict[str, int] = {}
    if "stuck_day_count" in rows.columns:
        stuck = dict(rows.group_by("station_id").agg(pl.col("stuck_day_count").sum()).iter_rows())
    reasons = {}
    for name, is_missing in zip(stations, np.isnan(values), strict=True):
        missing, longest = int(is_missing.sum()), _longest_run(is_missing)
        if is_missing.all():
            told = NO_OUTCOME
        elif longest > plan.longest_gap_periods or missing > plan.most_missing_share * len(
            is_missing
        ):
            told = f"{missing} of {len(is_missing)} periods missing, {longest} of them in a row"
        else:
            continue
        days = stuck.get(name, 0)
        reasons[name] = told + (f"; counts stuck on {days} days" if days else "")
    return reasons


def _block_means(values: Floats, size: int) -> Floats:
    means: Floats = values.reshape(*values.shape[:-1], values.shape[-1] // size, size).mean(axis=-1)
    return means


def _longest_run(flags: Bools) -> int:
    """Length of the longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return int(np.max(edges[1::2] - edges[::2], initial=0))


def _filled(values: Floats) -> Floats:
    """The matrix with its gaps filled; every row has some value."""
    if not values.size:
        return values
    centred = values - np.nanmean(values, axis=1, keepdims=True)
    # Where nobody who stayed has an outcome, all that is left is each station's own level.
    has_any = ~np.isnan(values).all(axis=0)
    shared = np.zeros(values.shape[1])
    shared[has_any] = np.nanmedian(centred[:, has_any], axis=0)
    columns = np.arange(values.shape[1])
    filled = values.copy()
    for row in filled:
        gap = np.isnan(row)
        if gap.any():
            own = np.interp(columns[gap], columns[~gap], row[~gap] - shared[~gap])
            row[gap] = shared[gap] + own
    return filled
