"""What made residents within reach of the metro change, in the toy city by hand.

Hill (20 residents) lives 867 m on foot from MA, gamma (2) at MC, border (6) 811 m from MB.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from pipelines.marts.bus_reach import compute_bus_reach
from pipelines.marts.metro_reach import compute_metro_reach
from pipelines.marts.rail_reach import compute_rail_reach
from pipelines.marts.reach_change import CHANGES, ReachChange, compute_reach_change
from pipelines.warehouse.compared import ComparedNights, compared_dates
from tests.marts.reach.toy_city import (
    CELLS,
    EAST,
    TABLES_READ,
    WEST,
    a_night,
    districts,
    population,
    timetable,
    toy_city,
)
from tests.toy_feeds import FILES, SUNDAY, WEDNESDAY, toy_feed
from tests.toy_streets import network

TUESDAY = "2026-11-17"
FIGURES = {
    "metro_reach": compute_metro_reach,
    "bus_reach": compute_bus_reach,
    "rail_reach": compute_rail_reach,
}
Frames = dict[str, Any]


def feed(**files: str) -> Frames:
    return timetable(toy_feed(**files), tables=TABLES_READ)


def change(
    before: Frames | None = None,
    after: Frames | None = None,
    *,
    days: tuple[str, str] = (TUESDAY, WEDNESDAY),
    published: float = 0.0,
) -> pl.DataFrame:
    """Rows of the change between two days; `published` was counted too much on the first."""
    sides = [toy_city() | (frames or {}) for frames in (before, after)]
    sides = [
        {name: rows.with_columns(version_id=pl.lit(version)) for name, rows in frames.items()}
        for frames, version in zip(sides, ("v1", "v2"), strict=True)
    ]
    old, new = (
        {name: make(a_night(day), **frames) for name, make in FIGURES.items()}
        for day, frames in zip(days, sides, strict=True)
    )
    within = pl.col("residents_within_count") + published
    governing = [
        (name, date.fromisoformat(day), source, version, False)
        for name, day, version in zip(("latest before", "tonight"), days, ("v1", "v2"), strict=True)
        for source in ("feed1", "grid", "districts", "s")
    ]
    types = {name: column.dtype for name, column in ComparedNights.columns().items()}
    return compute_reach_change(
        a_night(days[1]),
        **{name: pl.concat([sides[0][name], rows]) for name, rows in sides[1].items()},
        **new,
        **{f"past_{name}": rows.with_columns(within) for name, rows in old.items()},
        compared_nights=pl.DataFrame(governing, schema=types, orient="row"),
    )


def parts(rows: pl.DataFrame, scope: str = "west", **of: str) -> tuple[float | None, ...]:
    """The change, and what method, timetable, stops, population and streets made of it."""
    of = {"figure_table": "marts.metro_reach", "figure_column": "residents_within_count"} | of
    [found] = rows.filter(scope_id=scope, **of).iter_rows(named=True)
    return tuple(found[name] for name in ("change", *(f"{part}_change" for part in CHANGES)))


@pytest.mark.slow
def test_nothing_changed() -> None:
    rows = change()
    assert parts(rows) == (0, 0, 0, 0, 0, 0)
    assert rows.height == 3 * 3 * 2  # scopes, figures, columns
    assert set(rows.get_column("compared_date")) == {date(2026, 11, 17)}


@pytest.mark.slow
def test_a_stop_that_is_not_called_at_any_more_is_timetable() -> None:
    shorter = feed(
        stop_times="\n".join(
            line for line in FILES["stop_times"].splitlines() if ",MC," not in line
        )
        + "\n"
    )
    rows = change(after=shorter)
    assert parts(rows, "east") == (-2, 0, -2, 0, 0, 0)
    assert parts(rows, "west") == (0, 0, 0, 0, 0, 0)


@pytest.mark.slow
def test_a_stop_that_moved_is_stops() -> None:
    # 111 m to the south: 1,012 m on foot from hill.
    moved = feed(stops=FILES["stops"].replace("Alpha,43.2400,76.9000", "Alpha,43.2390,76.9000"))
    assert parts(change(after=moved)) == (-20, 0, 0, -20, 0, 0)


@pytest.mark.slow
def test_a_stop_that_is_new_is_stops() -> None:
    calls = "M1-0700,06:58:00,06:58:00,NEW,0\n"
    opened = feed(
        stops=FILES["stops"] + "NEW,Metro New,43.2470,76.9000\n",
        stop_times=FILES["stop_times"] + calls,
    )
    rows = change(after=opened)
    assert parts(rows) == (200, 0, 0, 200, 0, 0)  # slope lives there
    assert parts(rows, figure_column="reach_share") == (
        *(round(200 / 220, 6), 0, 0, round(200 / 220, 6), 0, 0),
    )


@pytest.mark.slow
def test_a_feed_that_is_numbered_anew_changes_nothing() -> None:
    names = ("MA", "MB", "MC", "BA", "BB", "BC", "BD")

    def renamed(text: str) -> str:
        for name in names:
            text = text.replace(f",{name},", f",new {name},").replace(
                f"\n{name},", f"\nnew {name},"
            )
        return text

    anew = feed(stops=renamed(FILES["stops"]), stop_times=renamed(FILES["stop_times"]))
    assert parts(change(after=anew)) == (0, 0, 0, 0, 0, 0)


@pytest.mark.slow
def test_residents_are_population() -> None:
    more = population(("hill", 43.2460, 76.9000, 20.0, 50.0, 60.0), *CELLS[1:])
    rows = change(after=more)
    assert parts(rows) == (30, 0, 0, 0, 30, 0)
    assert parts(rows, "toyville") == (30, 0, 0, 0, 30, 0)


@pytest.mark.slow
def test_streets_are_streets() -> None:
    # Nobody but hill has a street, and that one is 300 m longer than the way it had.
    nodes, links = network([(43.2400, 76.9000), (43.2460, 76.9000)], [(0, 1, (43.2430, 76.9060))])
    rows = change(after={"street_nodes": nodes, "street_links": links})
    [change_of_all, *_, of_streets] = parts(rows)
    assert change_of_all == of_streets == -20


@pytest.mark.slow
def test_what_was_published_by_other_code_is_method() -> None:
    assert parts(change(published=3.0)) == (-3, -3, 0, 0, 0, 0)


@pytest.mark.slow
def test_all_at_once_sum_exactly_in_the_stated_order() -> None:
    moved = FILES["stops"].replace("Alpha,43.2400,76.9000", "Alpha,43.2390,76.9000")
    calls = "\n".join(line for line in FILES["stop_times"].splitlines() if ",MC," not in line)
    after = feed(stops=moved, stop_times=calls + "\n") | population(
        ("hill", 43.2460, 76.9000, 20.0, 50.0, 60.0),
        *CELLS[1:-2],
        ("gamma", 43.24, 76.9369, 1, 4, 9),
    )
    rows = change(after=after, published=1.0)
    # Gamma loses its stop first, then hill; the people who came live near no stop.
    assert parts(rows, "toyville") == (-23, -1, -2, -20, 0, 0)


@pytest.mark.slow
def test_boundaries_are_method() -> None:
    wide = {**WEST, "boundary": EAST["boundary"].union(WEST["boundary"])}
    rows = change(after=districts(wide))
    assert parts(rows) == (8, 8, 0, 0, 0, 0)


@pytest.mark.slow
def test_what_is_null_has_its_reason() -> None:
    rows = change(days=(SUNDAY, WEDNESDAY)).filter(figure_table="marts.metro_reach")
    assert set(rows.get_column("change")) == {None}
    assert set(rows.get_column("reason")) == {
        "on 2026-11-22: no metro trips on 2026-11-22 in feeds 'feed1'"
    }
    new = change(before=districts(WEST)).filter(scope_id="east", figure_table="marts.metro_reach")
    assert set(new.get_column("reason")) == {"no figure of this scope on 2026-11-17"}


@pytest.mark.slow
def test_without_an_earlier_date_there_are_no_rows() -> None:
    city = toy_city()
    figures = {name: make(a_night(), **city) for name, make in FIGURES.items()}
    rows = compute_reach_change(
        a_night(),
        **city,
        **figures,
        **{f"past_{name}": rows.clear() for name, rows in figures.items()},
        compared_nights=ComparedNights.create_empty(),
    )
    assert rows.is_empty()


@pytest.mark.slow
def test_parts_that_do_not_sum_break_the_contract() -> None:
    _, failure = ReachChange.filter(change().with_columns(stops_change=pl.lit(1.0)))
    assert "parts_make_the_change" in failure.counts()


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([], {}),
        # The Friday before, not the weekend.
        (["2026-11-13", "2026-11-14", "2026-11-15"], {"latest before": "2026-11-13"}),
        # 2025-11-17 is the Monday 52 weeks before; 2025-11-11 is a Tuesday of that month.
        (
            ["2025-11-11", "2025-11-17", "2025-12-30"],
            {"latest before": "2025-12-30", "year before": "2025-11-17"},
        ),
        (["2025-11-11"], {"latest before": "2025-11-11", "year before": "2025-11-11"}),
        (["2025-09-30", "2026-12-01"], {"latest before": "2025-09-30"}),
    ],
)
def test_dates_to_compare_with(dates: list[str], expected: dict[str, str]) -> None:
    def day_type(day: date) -> str:
        return "weekday" if day.weekday() < 5 else "weekend"

    found = compared_dates(map(date.fromisoformat, dates), date(2026, 11, 16), day_type)
    assert {name: day.isoformat() for name, day in found.items()} == expected
