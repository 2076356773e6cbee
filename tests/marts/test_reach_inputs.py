"""What makes two nights' inputs the same, and what does not."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import pytest

from pipelines.errors import ContractError
from pipelines.marts.reach.mode_sets import MODE_SET_NAMES
from pipelines.marts.reach_inputs import ReachInputs
from pipelines.night import Window
from tests.marts.reach.toy_accessibility import WINDOW, inputs, night, opportunities, travel_times
from tests.marts.reach.toy_city import (
    CELLS,
    NETWORK_READ,
    no_feed,
    population,
    timetable,
)
from tests.toy_feeds import FILES, NAURYZ, SUNDAY, toy_feed
from tests.toy_streets import network

pytestmark = pytest.mark.slow


def feed(*replaced: tuple[str, str, str], **files: str) -> dict[str, Any]:
    """The toy feed with a text of a file replaced, as staged frames."""
    for name, old, new in replaced:
        text = files.get(name, FILES[name])
        assert old in text
        files[name] = text.replace(old, new)
    return timetable(toy_feed(**files), tables=NETWORK_READ)


def ids(*args: Any, **frames: Any) -> dict[str, str | None]:
    """Inputs by mode set."""
    return dict(inputs(*args, **frames).select("mode_set", "inputs_id").iter_rows())


@cache
def of_toy_city() -> dict[str, str | None]:
    return ids()


def changed(*args: Any, **frames: Any) -> set[str]:
    """Mode sets whose inputs differ from those of the toy city."""
    now, before = ids(*args, **frames), of_toy_city()
    return {mode_set for mode_set in now if now[mode_set] != before[mode_set]}


RUNNING = {"all", "bus", "metro", "metro and bus", "step-free possible"}
WITH_METRO = RUNNING - {"bus"}


def test_a_row_for_each_mode_set() -> None:
    rows = {row["mode_set"]: row for row in inputs().iter_rows(named=True)}
    assert set(rows) == set(MODE_SET_NAMES)
    metro, every = rows["metro"], rows["all"]
    assert (metro["run_count"], metro["stop_count"], metro["cell_count"]) == (2, 3, 5)
    assert (every["run_count"], every["stop_count"], every["draw_count"]) == (3, 7, 1)
    assert (every["feeds"], every["feeds_without_trips"]) == ("feed1", "")
    assert (every["method"], every["departure_window"]) == ("straight line x 1.3", "06:40-07:00")


def test_what_is_the_same_has_one_id() -> None:
    # No tram or train, and no stop that is known to have steps.
    toy = of_toy_city()
    assert toy["all"] == toy["metro and bus"] == toy["step-free possible"]
    assert len({toy[mode_set] for mode_set in ("all", "bus", "metro")}) == 3


def test_another_date_with_the_same_timetable_changes_nothing() -> None:
    assert changed(night("2026-11-19")) == set()


def test_names_of_versions_and_trips_change_nothing() -> None:
    renamed = {name: frame.with_columns(version_id=pl.lit("v9")) for name, frame in feed().items()}
    assert changed(**renamed) == set()
    trips = feed(("trips", "M1-0700", "first"), ("stop_times", "M1-0700", "first"))
    assert changed(**trips) == set()


def test_what_does_not_ride_in_the_window_changes_nothing() -> None:
    stop = FILES["stops"] + "XX,Not called at,43.2500,76.9100\n"
    assert changed(**feed(stops=stop)) == set()
    assert changed(**feed(("stop_times", "B2,23:58:00,23:58:00", "B2,23:50:00,23:50:00"))) == set()


def test_a_trip_changes_the_sets_it_belongs_to() -> None:
    assert changed(**feed(("stop_times", "07:06:00,07:06:00", "07:07:00,07:07:00"))) == WITH_METRO


def test_a_stop_that_moves_changes_the_sets_that_call_there() -> None:
    assert (
        changed(**feed(("stops", "MC,Metro Gamma,43.2400", "MC,Metro Gamma,43.2401"))) == WITH_METRO
    )


def test_a_transfer_rule_changes_the_sets_it_may_hold_for() -> None:
    head = "from_stop_id,to_stop_id,transfer_type,min_transfer_time\n"
    assert changed(**feed(transfers=f"{head}BA,BB,2,300\n")) == RUNNING - {"metro"}


def test_a_step_changes_what_may_be_step_free() -> None:
    head, *stops = FILES["stops"].splitlines()
    told = [f"{head},wheelchair_boarding", *(f"{stop},{2 * ('MA' in stop)}" for stop in stops)]
    assert changed(**feed(stops="\n".join(told) + "\n")) == {"step-free possible"}


@pytest.mark.parametrize(
    "frames",
    [
        population(*CELLS[:-1]),
        population(*CELLS[:-1], ("far", 43.3, 77.0, 1000.0, 2001.0, 3000.0)),
        opportunities(("school", "schools", 43.2460, 76.9000, 1.0)),
    ],
)
def test_people_and_opportunities_change_everything(frames: dict[str, Any]) -> None:
    assert changed(**frames) == RUNNING


def test_a_window_changes_everything() -> None:
    later = Window(WINDOW.start_seconds, WINDOW.end_seconds + 60)
    assert changed(night(window=later)) == RUNNING


def test_a_street_changes_everything() -> None:
    nodes, links = network([(43.2400, 76.9000), (43.2470, 76.9000)], [(0, 1)])
    assert changed(street_nodes=nodes, street_links=links) == RUNNING


def test_a_day_without_the_metro_says_so_for_each_feed() -> None:
    rows = {row["mode_set"]: row for row in inputs(night(SUNDAY)).iter_rows(named=True)}
    assert rows["metro"]["inputs_id"] is None
    assert rows["metro"]["reason"] == (
        "no metro trips in the window: feed 'feed1' has no such trips in the window on 2026-11-22"
    )
    assert rows["bus"]["inputs_id"] == rows["all"]["inputs_id"] == of_toy_city()["bus"]
    assert (rows["metro"]["feeds"], rows["metro"]["feeds_without_trips"]) == ("", "feed1")


def test_without_any_service_every_feed_is_named() -> None:
    ended = feed(("calendar", "20261231", "20260401"))
    known = inputs(night(NAURYZ), **ended).drop_nulls("inputs_id").get_column("mode_set")
    assert set(known) == RUNNING - {"metro"}
    row = inputs(night("2026-11-18"), **ended).row(
        by_predicate=pl.col("mode_set") == "all", named=True
    )
    assert row["reason"] == (
        "no trips in the window: feed 'feed1' has no service on 2026-11-18"
        " (its dates are 2026-01-01 to 2026-04-01)"
    )


def test_without_feeds_or_people_nothing_is_computed() -> None:
    assert set(inputs(**no_feed(NETWORK_READ)).get_column("reason")) == {"no GTFS feed"}
    nobody = inputs(**population())
    assert set(nobody.get_column("reason")) == {"no population grid"}
    assert set(nobody.get_column("inputs_id")) == {None}


def test_the_night_before_counts_past_midnight() -> None:
    # B2 leaves at 23:58 of Saturday, and reaches BB at 00:02 and BA at 00:04 of Sunday.
    midnight = inputs(night(SUNDAY, Window(0, 600))).filter(mode_set="bus")
    assert midnight.item(0, "run_count") == 1


def test_trips_that_no_cell_is_linked_to_are_an_error() -> None:
    # All metro stops between slope and far, kilometres from everybody.
    lost = [("stops", f"{stop},43.2400", f"{stop},43.2700") for stop in ("Alpha", "Beta", "Gamma")]
    lost = [("stops", f"Metro {old}", f"Metro {new}") for _, old, new in lost]
    with pytest.raises(ContractError, match="'M1-0700', 'M1-0710' of 'feed1'"):
        travel_times(**feed(*lost))


def test_a_fingerprint_or_a_reason() -> None:
    _, failure = ReachInputs.filter(inputs().with_columns(inputs_id=pl.lit(None, pl.String)))
    assert "reason_given" in failure.counts()
