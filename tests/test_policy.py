"""The policy file: what overrides what, until when, and what is said of a wrong one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.policy import Policy, PolicyRule, load_policy
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.stopping import NEEDED, OF_COLUMNS, STOPPING, stops_feed
from pipelines.staging.gtfs.specification import FILES
from tests.toy_quarantine import notice

DAY = date(2026, 11, 18)
EXAMPLE = Path(__file__).parent / "cities" / "springfield.policy.toml"

LEAST = """
[[rule]]
code = "csv_parsing_failed"
severity = "WARNING"
owner = "A. Person"
reason = "Known."
expires = 2027-01-01
"""


def policy_of(folder: Path, text: str) -> Policy:
    path = folder / "toy.policy.toml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path, ["bus", "metro"])


def test_without_a_policy_severities_are_the_validators() -> None:
    policy = load_policy(None, ["bus"])
    assert policy.effective("csv_parsing_failed", "ERROR", "bus", DAY, file_name="trips.txt") == (
        "ERROR",
        True,
        None,
    )
    assert policy.effective("csv_parsing_failed", "ERROR", "bus", DAY, file_name="levels.txt") == (
        "ERROR",
        False,
        None,
    )
    assert policy.effective("unknown_file", "INFO", "bus", DAY) == ("INFO", False, None)
    assert policy.expired(DAY) == []


def test_an_override_says_by_whom_and_stops_no_longer(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, LEAST)
    severity, stops, entry = policy.effective(
        "csv_parsing_failed", "ERROR", "bus", DAY, file_name="trips.txt"
    )
    assert (severity, stops) == ("WARNING", False)
    assert entry is not None
    assert (entry.owner, entry.reason, entry.expires) == ("A. Person", "Known.", date(2027, 1, 1))
    assert policy.effective("empty_file", "ERROR", "bus", DAY, file_name="trips.txt")[:2] == (
        "ERROR",
        True,
    )


def test_whether_it_stops_may_be_said_apart_from_severity(tmp_path: Path) -> None:
    stop = LEAST.replace('severity = "WARNING"', "stops_feed = true")
    policy = policy_of(tmp_path, stop.replace("csv_parsing_failed", "unexpected_enum_value"))
    told = policy.effective("unexpected_enum_value", "WARNING", "bus", DAY)
    assert told[:2] == ("WARNING", True)
    policy = policy_of(tmp_path, stop.replace("true", "false"))
    told = policy.effective("csv_parsing_failed", "ERROR", "bus", DAY, file_name="trips.txt")
    assert told[:2] == ("ERROR", False)


def test_a_raised_severity_stops_nothing_by_itself(tmp_path: Path) -> None:
    text = LEAST.replace("csv_parsing_failed", "unknown_file").replace("WARNING", "ERROR")
    told = policy_of(tmp_path, text).effective("unknown_file", "INFO", "bus", DAY, file_name="x")
    assert told[:2] == ("ERROR", False)


def test_a_rule_for_one_feed_goes_before_one_for_all(tmp_path: Path) -> None:
    bus = LEAST.replace("WARNING", "INFO").replace("owner", 'source = "bus"\nowner')
    for text in (LEAST + bus, bus + LEAST):
        policy = policy_of(tmp_path, text)
        assert policy.effective("csv_parsing_failed", "ERROR", "bus", DAY).severity == "INFO"
        assert policy.effective("csv_parsing_failed", "ERROR", "metro", DAY).severity == "WARNING"
    # Once it has expired, the one for all counts again.
    policy = policy_of(tmp_path, LEAST + bus.replace("2027-01-01", "2026-11-18"))
    assert policy.effective("csv_parsing_failed", "ERROR", "bus", DAY).severity == "WARNING"
    assert policy.expired(DAY) == [
        "The override of csv_parsing_failed for bus by A. Person expired on 2026-11-18."
    ]


@pytest.mark.parametrize(
    ("day", "applies"),
    [(date(2026, 12, 31), True), (date(2027, 1, 1), False), (date(2027, 1, 2), False)],
)
def test_an_override_holds_before_its_date_and_is_then_reported(
    tmp_path: Path, day: date, applies: bool
) -> None:
    policy = policy_of(tmp_path, LEAST)
    severity, stops, entry = policy.effective(
        "csv_parsing_failed", "ERROR", "bus", day, file_name="trips.txt"
    )
    assert (severity, stops, entry is not None) == (
        ("WARNING", False, True) if applies else ("ERROR", True, False)
    )
    said = ["The override of csv_parsing_failed by A. Person expired on 2027-01-01."]
    assert policy.expired(day) == ([] if applies else said)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('owner = "A. Person"', "", "`rule[1].owner` is missing"),
        ('reason = "Known."', "", "`rule[1].reason` is missing"),
        ("expires = 2027-01-01", "", "`rule[1].expires` is missing"),
        ('code = "csv_parsing_failed"', "", "`rule[1].code` is missing"),
        ('"A. Person"', '"  "', "`rule[1].owner`: "),
        ('"Known."', '""', "`rule[1].reason`: "),
        ("2027-01-01", '"soon"', "`rule[1].expires`: "),
        ('"WARNING"', '"HARMLESS"', "`rule[1].severity`: "),
        ('severity = "WARNING"', "", "`rule[1]` says neither `severity` nor `stops_feed`"),
        ('severity = "WARNING"', 'stops_feed = "often"', "`rule[1].stops_feed`: "),
        ("csv_parsing_failed", "csv_parse_failed", "(did you mean csv_parsing_failed"),
        ("csv_parsing_failed", "zzz", "`rule[1].code`: no notice code (found 'zzz')"),
        ("owner", 'source = "buss"\nowner', "`rule[1].source`: no feed of the city (did you mean"),
        ("owner", 'source = "tram"\nowner', "no feed of the city (known: bus, metro)"),
        ("expires", "expiry", "`rule[1].expiry` is an unknown key (did you mean `expires`?)"),
        ("[[rule]]", "[[rules]]", "`rules` is an unknown key (did you mean `rule`?)"),
        ("[[rule]]", "[rule]", "`rule`"),
        ("[[rule]]", "[[rule]", "is not TOML"),
    ],
)
def test_a_wrong_key_is_named_by_its_path(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    assert right in LEAST
    with pytest.raises(SettingsError) as raised:
        policy_of(tmp_path, LEAST.replace(right, wrong, 1))
    assert said in str(raised.value)
    assert str(tmp_path / "toy.policy.toml") in str(raised.value)
    assert "Value error" not in str(raised.value)


def test_the_second_rule_is_the_second(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"`rule\[2\]\.owner` is missing"):
        policy_of(tmp_path, LEAST + LEAST.replace('owner = "A. Person"', ""))


def test_two_rules_on_the_same(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there are two rules on csv_parsing_failed"):
        policy_of(tmp_path, LEAST + LEAST.replace("WARNING", "INFO"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml does not exist.*`city\.policy`"):
        load_policy(tmp_path / "none.toml", [])


def test_the_example_is_a_policy_file() -> None:
    policy = load_policy(EXAMPLE, ["transit"])
    assert {entry.source for entry in policy.rules} == {None, "transit"}
    assert all(isinstance(entry, PolicyRule) for entry in policy.rules)


@pytest.mark.parametrize(
    ("code", "file", "columns", "stops"),
    [
        ("missing_required_file", "stop_times.txt", [], True),
        ("missing_required_file", "feed_info.txt", [], False),
        ("missing_calendar_and_calendar_date_files", "calendar.txt", [], True),
        ("empty_file", "calendar.txt", [], False),  # calendar_dates may say it all
        ("empty_file", "trips.txt", [], True),
        ("csv_parsing_failed", "calendar_dates.txt", [], True),
        ("csv_parsing_failed", "frequencies.txt", [], True),
        ("csv_parsing_failed", "shapes.txt", [], False),
        ("missing_required_column", "trips.txt", ["service_id"], True),
        ("missing_required_column", "trips.txt", [], True),
        ("missing_required_column", "agency.txt", ["agency_url"], False),
        ("missing_required_column", "stop_times.txt", ["stop_sequence", None], True),
        ("duplicated_column", "stop_times.txt", ["stop_id"], True),
        ("duplicated_column", "stops.txt", ["stop_desc", "their_own"], False),
        ("foreign_key_violation", "stop_times.txt", ["stop_id"], False),
        ("unknown_file", "notes.pdf", [], False),
    ],
)
def test_what_makes_a_timetable_unusable(
    code: str, file: str, columns: list[str | None], stops: bool
) -> None:
    assert stops_feed(code, file, columns) == stops


def test_what_stops_is_known_and_an_error() -> None:
    assert {code for code in STOPPING if CODES[code].severity != "ERROR"} == set()
    assert set(STOPPING) >= OF_COLUMNS
    assert {file for files in STOPPING.values() for file in files} | NEEDED <= set(FILES)


def test_a_notice_is_judged_by_its_row() -> None:
    row = notice("missing_required_column", "agency.txt", sample=[{"field": "agency_url"}])
    assert Policy().judge(row, DAY).stops_feed is False
    row = notice("missing_required_column", "stops.txt", sample=[{"field": "stop_id"}])
    assert Policy().judge(row, DAY).stops_feed is True


def test_one_value_that_cannot_be_read_stops_no_feed() -> None:
    assert stops_feed("csv_parsing_failed", "stops.txt")
    assert not stops_feed("csv_parsing_failed", "stops.txt", ["stop_name"])
