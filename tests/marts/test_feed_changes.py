"""Two versions of a feed: counts by eye, nothing for a feed renamed, and the same both ways."""

from __future__ import annotations

import random
import time
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.marts.feed_changes import compute_feed_changes
from tests.marts.two_versions import (
    COMPARED,
    Tables,
    change_rows,
    changes,
    iso,
    relabelled,
    renamed,
    version,
)
from tests.toy_feeds import FILES, night_of

COUNTS = ("added_count", "removed_count", "changed_count", "kept_count")


def counts(before: Tables, after: Tables) -> dict[str, tuple[object, ...]]:
    """Added, removed, changed and kept, by table."""
    told = changes(before, after)
    return {name: tuple(row[column] for column in COUNTS) for name, row in told.items()}


def edited(file: str, *replacements: tuple[str, str]) -> dict[str, str]:
    """One file of the toy feed with texts replaced, each of which it has."""
    text = FILES[file]
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return {file: text}


TOY = version("a")
KEPT = {
    "routes": (0, 0, 0, 2),
    "stops": (0, 0, 0, 7),
    "trips": (0, 0, 0, 4),
    "patterns": (0, 0, 0, 3),
    "vehicle_km": (0, 0, 0, 2),
}


@pytest.mark.slow
def test_a_feed_has_not_changed_from_itself() -> None:
    again = relabelled(TOY, "b")
    assert counts(TOY, again) == KEPT
    assert change_rows(TOY, again).is_empty()
    assert {row["matched_by"] for row in changes(TOY, again).values()} == {"id"}


@pytest.mark.slow
def test_a_feed_whose_every_id_is_another_has_not_changed() -> None:
    after = renamed(TOY, "b")
    assert counts(TOY, after) == KEPT
    assert change_rows(TOY, after).is_empty()
    assert {row["matched_by"] for row in changes(TOY, after).values()} == {"identity"}
    km = changes(TOY, after)["vehicle_km"]
    assert km["km_before"] == km["km_after"]
    assert (km["km_gained"], km["km_lost"]) == (0, 0)


@pytest.mark.slow
def test_another_metro_train() -> None:
    trips = FILES["trips"] + "M1,weekday,M1-0720,Gamma,0,metro\n"
    calls = FILES["stop_times"] + (
        "M1-0720,07:20:00,07:20:00,MA,1\nM1-0720,07:22:00,07:22:30,MB,2\n"
        "M1-0720,07:26:00,07:26:00,MC,3\n"
    )
    after = version("b", trips=trips, stop_times=calls)
    assert counts(TOY, after) == {
        **KEPT,
        "trips": (1, 0, 0, 4),
        "patterns": (0, 0, 1, 2),
        "vehicle_km": (0, 0, 1, 1),
    }
    km = changes(TOY, after)["vehicle_km"]
    assert km["km_gained"] == pytest.approx(2.998, rel=1e-3)
    assert km["km_after"] == pytest.approx(3 * 2.998, rel=1e-3)
    assert km["km_lost"] == 0
    assert km["reason"] == "no distance for 1 of 2 routes"  # the bus has no shape
    assert km["compared_before_date"] == km["compared_after_date"] == iso("2026-11-18")
    rows = {
        (row["table_name"], row["key"]): row for row in change_rows(TOY, after).rows(named=True)
    }
    assert rows["trips", "M1-0720"]["label"] == (
        "M1 Alpha - Gamma: Metro Alpha - Metro Gamma (3 stops) at 07:20:00"
    )
    assert rows["vehicle_km", "M1"]["count_after"] == 3


@pytest.mark.slow
def test_a_route_renumbered_while_its_ids_stay() -> None:
    after = version("b", **edited("routes", ("10,toy,10,", "10,toy,11,")))
    assert counts(TOY, after) == {**KEPT, "routes": (0, 0, 1, 1)}
    [row] = change_rows(TOY, after).rows(named=True)
    assert (row["key"], row["change"]) == ("10", "changed")
    assert row["changed_columns"] == "route_short_name"


@pytest.mark.slow
def test_a_trip_later_and_a_stop_moved() -> None:
    later = edited("stop_times", ("M1-0710,07:10:00,07:10:00", "M1-0710,07:09:00,07:09:00"))
    moved = edited("stops", ("BB,Bus Beta,43.2536", "BB,Bus Beta,43.2540"))
    after = version("b", **later, **moved)
    assert counts(TOY, after) == {**KEPT, "trips": (0, 0, 1, 3), "stops": (0, 0, 1, 6)}
    told = {row["key"]: row["changed_columns"] for row in change_rows(TOY, after).rows(named=True)}
    assert told == {"BB": "stop_lat", "M1-0710": "start_seconds"}


@pytest.mark.slow
def test_a_bus_stop_left_out() -> None:
    after = version("b", **edited("stop_times", ("B1,,,BB,2\n", "")))
    assert counts(TOY, after) == {**KEPT, "trips": (0, 0, 1, 3), "patterns": (1, 1, 0, 2)}


@pytest.mark.slow
def test_a_route_withdrawn() -> None:
    trips = "".join(line for line in FILES["trips"].splitlines(True) if not line.startswith("M1"))
    calls = "".join(
        line for line in FILES["stop_times"].splitlines(True) if not line.startswith("M1")
    )
    after = version("b", **edited("routes", ("M1,toy,M1,Alpha - Gamma,1\n", ""))
                    | {"trips": trips, "stop_times": calls})  # fmt: skip
    assert counts(TOY, after) == {
        **KEPT,
        "routes": (0, 1, 0, 1),
        "trips": (0, 2, 0, 2),
        "patterns": (0, 1, 0, 2),
        "vehicle_km": (0, 1, 0, 1),
    }
    km = changes(TOY, after)["vehicle_km"]
    assert (km["km_gained"], km["km_after"]) == (0, 0)
    assert km["km_lost"] == km["km_before"] == pytest.approx(2 * 2.998, rel=1e-3)


@pytest.mark.slow
def test_numbers_given_anew_are_not_the_trips_they_were() -> None:
    """Ids survive, but each stands for another trip: they are matched by what they are."""
    swapped = [("M1-0700", "x"), ("B1", "M1-0700"), ("x", "B1")]
    swapped += [("M1-0710", "x"), ("B2", "M1-0710"), ("x", "B2")]
    files = {**edited("trips", *swapped), **edited("stop_times", *swapped)}
    after = version("b", **files)
    told = changes(TOY, after)
    assert told["trips"]["matched_by"] == "identity"
    assert told["routes"]["matched_by"] == "id"
    assert counts(TOY, after) == KEPT


@pytest.mark.slow
def test_services_that_take_turns_count_once() -> None:
    """The year in one service, or in two: with other ids, the same trips on the same weekdays."""
    halves = FILES["calendar"].replace(
        "daily,1,1,1,1,1,1,1,20260101,20261231\n",
        "daily,1,1,1,1,1,1,1,20260101,20260630\nautumn,1,1,1,1,1,1,1,20260701,20261231\n",
    )
    trips = FILES["trips"] + "10,autumn,B1a,Delta,0,\n10,autumn,B2a,Alpha,1,\n"
    bus = [line for line in FILES["stop_times"].splitlines(True) if line.startswith("B")]
    again = "".join(line.replace("B1,", "B1a,").replace("B2,", "B2a,") for line in bus)
    split = version("b", trips=trips, calendar=halves, stop_times=FILES["stop_times"] + again)
    assert counts(TOY, renamed(split, "b")) == KEPT


@pytest.mark.slow
def test_versions_without_a_date_in_common_are_compared_by_a_typical_weekday_of_each() -> None:
    next_year = version(
        "b",
        **edited("calendar", ("20260101,20261231", "20270101,20271231")),
        calendar_dates="service_id,date,exception_type\nweekday,20270101,2\n",
    )
    km = changes(TOY, next_year, "2027-01-01")["vehicle_km"]
    # Of the year that is over, its first usual weekday; of the new one not the holiday.
    assert km["compared_before_date"] == iso("2026-01-01")
    assert km["compared_after_date"] == iso("2027-01-04")
    assert (km["added_count"], km["kept_count"]) == (0, 2)


def test_a_version_that_never_runs_runs_nothing() -> None:
    never = relabelled(TOY, "b")
    never["service_dates"] = never["service_dates"].clear()
    km = changes(TOY, never)["vehicle_km"]
    assert (km["removed_count"], km["compared_after_date"]) == (2, None)


def test_no_feed_that_changed_gives_no_rows() -> None:
    nothing = pl.DataFrame(
        schema=dict.fromkeys(("source_id", "before_version_id", "after_version_id"), pl.String)
    )
    tables = {name: TOY[name].clear() for name in COMPARED}
    night = night_of("2026-11-18")
    assert compute_feed_changes(night, **tables, version_changes=nothing).is_empty()


EDITS = (
    edited("stops", ("Metro Alpha", "Metro One")),
    edited("stops", ("BA,Bus Alpha,43.2500", "BA,Bus Alpha,43.2600")),
    edited("routes", ("M1,toy,M1,Alpha - Gamma,1", "M1,toy,M2,Alpha - Gamma,1")),
    edited("stop_times", ("B1,,,BB,2\n", "")),
    edited("stop_times", ("M1-0700,07:00:00,07:00:00", "M1-0700,06:50:00,06:50:00")),
    edited("trips", ("10,daily,B1", "10,weekday,B1")),
    edited("calendar", ("daily,1,1,1,1,1,1,1", "daily,0,0,0,0,0,1,1")),
)


@cache
def edited_toy(numbers: tuple[int, ...]) -> Tables:
    """The toy feed with some of `EDITS`."""
    return version("b", **{k: v for number in numbers for k, v in EDITS[number].items()})


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, len(EDITS) - 1), max_size=1), st.booleans(), st.booleans())
def test_both_ways_round_the_same_is_found(
    edits: list[int], rename: bool, rename_too: bool
) -> None:
    """What is added from a to b is removed from b to a; all else is equal."""
    a, b = TOY, edited_toy(tuple(edits))
    if rename:
        b = renamed(b, "b")
    if rename_too:
        a = renamed(a, "a")
    there, back = changes(a, b), changes(b, a)
    for name, row in there.items():
        other = back[name]
        assert row["matched_by"] == other["matched_by"]
        assert [row[c] for c in COUNTS] == [other[COUNTS[n]] for n in (1, 0, 2, 3)]
        for first, second in (("before", "after"), ("gained", "lost")):
            assert row[f"km_{first}"] == other[f"km_{second}"]
            assert row[f"km_{second}"] == other[f"km_{first}"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_rows_gives_the_same(seed: int) -> None:
    after = version("b", **EDITS[3], **EDITS[0])
    shuffled = {
        name: table.sample(fraction=1, shuffle=True, seed=random.Random(seed).randrange(99))
        for name, table in after.items()
    }
    assert changes(TOY, shuffled) == changes(TOY, after)
    assert change_rows(TOY, shuffled).equals(change_rows(TOY, after))


REAL = ("transitland_hart.zip", "transitland_cdmx.zip", "gtfskit_nyc_subway_gtfs.zip")


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_real_feed_renamed_has_not_changed_and_is_compared_in_a_second(
    shared_data: Path, name: str
) -> None:
    before = version("a", (shared_data / "gtfs" / name).read_bytes())
    after = renamed(before, "b")
    started = time.perf_counter()
    told = changes(before, after)
    assert time.perf_counter() - started < 1
    assert {row["matched_by"] for row in told.values()} == {"identity"}
    assert [row for row in told.values() if row["kept_count"] != row["after_count"]] == []
    assert change_rows(before, after).is_empty()
    assert told["vehicle_km"]["km_before"] == told["vehicle_km"]["km_after"]


@pytest.mark.slow
def test_a_network_rebuilt_in_seven_years(shared_data: Path) -> None:
    """BART 2016 and 2023: stations kept their ids, routes and trips are others altogether."""
    folder = shared_data / "gtfs"
    old = version("a", (folder / "transitland_bart-old.zip").read_bytes())
    new = version("b", (folder / "transitland_bart-new.zip").read_bytes())
    told = changes(old, new, "2023-02-13")
    assert {name: row["matched_by"] for name, row in told.items()} == {
        **dict.fromkeys(("routes", "trips", "patterns", "vehicle_km"), "identity"),
        "stops": "id",
    }
    assert [told["routes"][c] for c in COUNTS] == [14, 6, 0, 0]
    # 45 stations stand where they stood; two ids went, platforms and entrances came.
    assert [told["stops"][c] for c in COUNTS] == [141, 2, 45, 0]
    assert told["vehicle_km"]["before_count"] == 6
    assert told["vehicle_km"]["compared_before_date"] < iso("2017-01-01")
