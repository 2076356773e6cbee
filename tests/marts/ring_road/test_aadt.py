"""AADT: closed forms, a year by hand, and plain Python's average of averages on random years."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.ring_road.aadt import (
    NO_DAYS,
    STATION_CLASS,
    Year,
    YearCells,
    calendar_years,
    last_year,
    month_cells,
    year_cells,
)
from tests.marts.toy_counts import dates

YEAR = Year(date(2025, 1, 1), date(2025, 12, 31))
DAYS = dates(YEAR.from_date, YEAR.to_date)
MONTH_LEVELS = [90, 92, 95, 100, 104, 108, 112, 110, 105, 100, 95, 91]
WEEKDAY_LEVELS = [1.0, 1.0, 1.02, 1.04, 1.1, 0.9, 0.7]

Counts = dict[date, float]


def product_day(day: date) -> float:
    return MONTH_LEVELS[day.month - 1] * WEEKDAY_LEVELS[day.weekday()]


PRODUCT: Counts = {day: product_day(day) for day in DAYS}
PRODUCT_AADT = fmean(MONTH_LEVELS) * fmean(WEEKDAY_LEVELS)


def year_of(counts: Counts, year: Year = YEAR) -> YearCells:
    """The cells of one station's year."""
    days = pl.DataFrame(
        {
            "station_id": ["a"] * len(counts),
            "vehicle_class": ["all"] * len(counts),
            "service_date": list(counts),
            "vehicle_count": list(counts.values()),
        },
        schema={
            "station_id": pl.String,
            "vehicle_class": pl.String,
            "service_date": pl.Date,
            "vehicle_count": pl.Float64,
        },
    )
    keys = pl.DataFrame([("a", "all")], schema=list(STATION_CLASS), orient="row")
    return year_cells(month_cells(days), keys, year)


def aadt_of(counts: Counts) -> float:
    found = year_of(counts)
    assert found.reasons == (None,)
    return float(found.aadt[0])


def without(counts: Counts, *cells: tuple[int, int]) -> Counts:
    """The counts without the days of some cells (month, weekday from 0)."""
    return {day: count for day, count in counts.items() if (day.month, day.weekday()) not in cells}


def random_year(rng: np.random.Generator) -> Counts:
    return dict(zip(DAYS, rng.integers(1, 5000, len(DAYS)).astype(float).tolist(), strict=True))


def by_plain_python(counts: Counts) -> float:
    """AASHTO's average of averages, with nothing of the module's: every cell must be counted."""
    cells: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for day, count in counts.items():
        cells[day.weekday(), day.month].append(count)
    by_weekday = [
        sum(sum(cells[weekday, month]) / len(cells[weekday, month]) for month in range(1, 13)) / 12
        for weekday in range(7)
    ]
    return sum(by_weekday) / 7


def test_a_constant_road_has_its_level() -> None:
    assert aadt_of(dict.fromkeys(DAYS, 1234.0)) == 1234


def test_weekdays_count_alike_however_often_they_were_counted() -> None:
    """100 a day and 30 on Sundays: (6 x 100 + 30) / 7, with every other Monday lost or not."""
    counts = {day: 30.0 if day.weekday() == 6 else 100.0 for day in DAYS}
    assert aadt_of(counts) == pytest.approx(90)
    lost = {d: c for d, c in counts.items() if d.weekday() != 0 or d.isocalendar().week % 2}
    assert aadt_of(lost) == pytest.approx(90)


def test_months_count_alike_whatever_their_length() -> None:
    """1000 in February, else 100: (11 x 100 + 1000) / 12, which a mean of days would miss."""
    counts = {day: 1000.0 if day.month == 2 else 100.0 for day in DAYS}
    assert aadt_of(counts) == pytest.approx(175)
    assert fmean(counts.values()) == pytest.approx(169.04, abs=0.01)


def test_a_product_of_months_and_weekdays_has_the_product_of_means() -> None:
    assert aadt_of(PRODUCT) == pytest.approx(PRODUCT_AADT)


def test_filled_cells_of_a_product_are_the_lost_ones() -> None:
    lost = without(PRODUCT, *((month, (month * 3) % 7) for month in range(1, 13)))
    found = year_of(lost)
    assert found.counted_cell_counts.tolist() == [72]
    assert found.aadt[0] == pytest.approx(PRODUCT_AADT, rel=1e-9)
    whole = year_of(PRODUCT).filled[0]
    assert np.allclose(found.filled[0], whole, rtol=1e-9)


def test_counted_cells_stay_as_they_were_counted() -> None:
    counts = {day: float(50 + (day.toordinal() * 7919) % 100) for day in DAYS}
    found = year_of(without(counts, (3, 2), (8, 5)))
    is_counted = ~np.isnan(found.counted[0])
    assert is_counted.sum() == 82
    assert np.array_equal(found.filled[0][is_counted], found.counted[0][is_counted])


@pytest.mark.parametrize("month", [1, 6, 12])
def test_a_month_lost_is_the_mean_of_those_beside_it(month: int) -> None:
    found = year_of({day: count for day, count in PRODUCT.items() if day.month != month})
    assert found.reasons == (None,)
    beside = (MONTH_LEVELS[month - 2] + MONTH_LEVELS[month % 12]) / 2
    expected = [beside * level for level in WEEKDAY_LEVELS]
    assert found.filled[0][month - 1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({}, NO_DAYS),
        (
            {day: count for day, count in PRODUCT.items() if day.month not in (5, 6)},
            "2 of 12 months have no counted day: at most 1 is filled",
        ),
        (
            {day: count for day, count in PRODUCT.items() if day.weekday() != 6},
            "no Sunday was counted",
        ),
        (
            without(PRODUCT, *((month, month % 6) for month in range(1, 13)), (5, 6)),
            "13 of 84 cells of month and weekday have no counted day: at most 12 are filled",
        ),
        (
            {d: c for d, c in PRODUCT.items() if d < date(2025, 4, 1)},
            "9 of 12 months have no counted day: at most 1 is filled",
        ),
    ],
)
def test_too_little_gives_the_reason_and_no_figure(counts: Counts, reason: str) -> None:
    found = year_of(counts)
    assert found.reasons == (reason,)
    assert np.isnan(found.aadt).all()


def test_a_road_without_vehicles_has_an_aadt_of_zero() -> None:
    nothing = dict.fromkeys(DAYS, 0.0)
    assert aadt_of(without(nothing, (3, 3))) == 0


def test_factors_are_ratios_to_the_year() -> None:
    found = year_of(PRODUCT)
    months = [level / fmean(MONTH_LEVELS) for level in MONTH_LEVELS]
    weekdays = [level / fmean(WEEKDAY_LEVELS) for level in WEEKDAY_LEVELS]
    assert found.month_ratios()[0].tolist() == pytest.approx(months)
    assert found.weekday_ratios()[0].tolist() == pytest.approx(weekdays)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), lost_share=st.sampled_from([0.0, 0.1, 0.3]))
def test_it_is_the_average_of_averages(seed: int, lost_share: float) -> None:
    rng = np.random.default_rng(seed)
    counts = {
        day: float(count) for day, count in zip(DAYS, rng.integers(0, 5000, 365), strict=True)
    }
    # One day of each cell stays, so that every cell is counted.
    firsts = {(day.month, day.weekday()): day for day in DAYS}.values()
    kept = {d: c for d, c in counts.items() if d in firsts or rng.random() >= lost_share}
    assert aadt_of(kept) == pytest.approx(by_plain_python(kept))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.01, 3.0, 1000.0]))
def test_twice_the_traffic_is_twice_the_figure(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    counts = random_year(rng)
    lost = [(int(rng.integers(1, 13)), int(rng.integers(0, 7))) for _ in range(10)]
    told = aadt_of(without(counts, *lost))
    scaled = aadt_of(without({day: count * factor for day, count in counts.items()}, *lost))
    assert scaled == pytest.approx(told * factor, rel=1e-9)
    assert min(counts.values()) <= told <= max(counts.values())


@pytest.mark.parametrize(
    ("night", "first", "last"),
    [
        (date(2026, 11, 20), date(2025, 11, 1), date(2026, 10, 31)),
        (date(2026, 10, 31), date(2025, 11, 1), date(2026, 10, 31)),
        (date(2026, 12, 31), date(2026, 1, 1), date(2026, 12, 31)),
        (date(2026, 1, 1), date(2025, 1, 1), date(2025, 12, 31)),
        (date(2024, 2, 29), date(2023, 3, 1), date(2024, 2, 29)),
    ],
)
def test_the_last_year_is_the_twelve_months_that_ended(
    night: date, first: date, last: date
) -> None:
    year = last_year(night)
    assert year == Year(first, last)
    months = year.month_dates()
    assert (months[0], len(months), months[-1]) == (first, 12, last.replace(day=1))


def test_calendar_years_are_those_that_ended() -> None:
    found = [year.from_date.year for year in calendar_years(date(2023, 6, 16), date(2025, 12, 30))]
    assert found == [2023, 2024]
    assert len(calendar_years(date(2023, 6, 16), date(2025, 12, 31))) == 3
    assert calendar_years(date(2026, 1, 2), date(2026, 2, 1)) == []


def test_a_year_across_new_year_has_its_months_in_their_order() -> None:
    year = last_year(date(2025, 6, 30))
    counts = {day: float(day.year) for day in dates(year.from_date, year.to_date)}
    assert year_of(counts, year).counted[0, :, 0].tolist() == [2024.0] * 6 + [2025.0] * 6
