"""Versions held back: recorded once a version, asked about until decided, decided with a name."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from pipelines import release, run
from pipelines.city_file import load_city
from pipelines.cli import app
from pipelines.doctor import look_at_policy, look_at_quarantine
from pipelines.errors import QalaError, QuarantinedFeedError, SourceError
from pipelines.marts.feed_quality import FeedQuality
from pipelines.policy import Policy
from pipelines.question import MOST_NOTICES, question
from pipelines.settings import Settings, load_settings
from pipelines.staging.gtfs import FeedNotices
from pipelines.summary import print_summary
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition, open_lake
from pipelines.warehouse.state import version_key
from tests.toy_city import write_toy_city
from tests.toy_feeds import FILES, toy_feed
from tests.toy_quarantine import (
    BROKEN,
    BROKEN_TOO,
    DAY,
    GOOD,
    attempt,
    good_version,
    hold_back,
    notice,
    notices,
)

NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A toy city, with the environment pointing at it."""
    monkeypatch.setenv("QALA_CITY", str(write_toy_city(tmp_path / "city")))
    monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("QALA_CATALOG", raising=False)
    monkeypatch.delenv("QALA_OBJECTS", raising=False)
    return load_settings()


@pytest.fixture
def lake(settings: Settings) -> Iterator[Lake]:
    with open_lake(settings, run_id="night") as opened:
        yield opened


def waiting(lake: Lake) -> list[str]:
    return [held.version_id for held in release.waiting(lake)]


def test_before_anything_was_held_back(lake: Lake) -> None:
    assert release.waiting(lake) == []
    assert release.decision(lake, "transit", BROKEN) is None


@pytest.mark.slow
def test_a_version_is_recorded_once_with_its_first_night(lake: Lake) -> None:
    hold_back(lake, day=NEXT_DAY)
    hold_back(lake, day=DAY + timedelta(days=5), number=1)
    hold_back(lake, day=DAY, number=2)  # an earlier night, run later
    hold_back(lake, day=NEXT_DAY, number=3)
    [held] = release.waiting(lake)
    assert held.first_night_date == DAY
    assert (held.notice_codes, held.refused_count) == ("missing_required_file", 7)
    assert (held.object_name, held.short_id) == ("transit.zip", "b1b1b1b1b1b1")


@pytest.mark.slow
def test_a_version_waits_only_while_its_source_delivers_it(lake: Lake) -> None:
    hold_back(lake)
    hold_back(lake, source_id="metro", number=1)
    assert len(release.waiting(lake)) == 2
    hold_back(lake, BROKEN_TOO, number=2)  # the publisher sends another broken one
    assert sorted(waiting(lake)) == [BROKEN, BROKEN_TOO]  # metro's first, transit's second
    lake.write(added=[attempt(GOOD, number=3)])  # and then mends it
    assert [held.source_id for held in release.waiting(lake)] == ["metro"]
    lake.write(added=[attempt("", source_id="metro", number=4)])  # no answer says nothing
    assert [held.source_id for held in release.waiting(lake)] == ["metro"]


@pytest.mark.slow
@pytest.mark.parametrize("word", ["released", "rejected"])
def test_a_decision_ends_the_waiting_and_says_who_and_why(lake: Lake, word: str) -> None:
    hold_back(lake)
    release.decide(lake, "transit", BROKEN, word, decided_by=" Aigul ", reason="Stops are\nlate.")
    assert release.waiting(lake) == []
    made = release.decision(lake, "transit", BROKEN)
    assert made is not None
    assert (made.decision, made.decided_by, made.reason) == (word, "Aigul", "Stops are late.")
    assert made.is_release == (word == "released")
    assert made.run_id == "night"
    assert release.decision(lake, "metro", BROKEN) is None
    hold_back(lake, number=1)  # delivered again the next night: not asked about again
    assert release.waiting(lake) == []


@pytest.mark.slow
def test_the_latest_decision_counts_and_all_are_kept(lake: Lake) -> None:
    hold_back(lake)
    for word, by in (("rejected", "Aigul"), ("released", "Daulet")):
        release.decide(lake, "transit", BROKEN, word, decided_by=by, reason="So.")
    made = release.decision(lake, "transit", BROKEN)
    assert made is not None
    assert (made.decision, made.decided_by) == ("released", "Daulet")
    assert release.decisions(lake).get_column("decided_by").to_list() == ["Aigul", "Daulet"]


@pytest.mark.slow
def test_a_decision_said_again_by_the_same_run_is_one(lake: Lake) -> None:
    hold_back(lake)
    for _ in range(2):
        release.decide(lake, "transit", BROKEN, "released", decided_by="A", reason="So.")
    assert release.decisions(lake).height == 1
    lake.run_id = "another"
    release.decide(lake, "transit", BROKEN, "released", decided_by="A", reason="So.")
    assert release.decisions(lake).height == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "word", "signed", "said"),
    [
        ("transit b1", "postponed", ("A", "So."), "'postponed' is no decision"),
        ("transit b1", "released", (" ", "So."), "needs who decided and why"),
        ("transit b1", "released", ("A", "\n"), "needs who decided and why"),
        ("transit c", "released", ("A", "So."), "No version of 'transit' was held back whose id"),
        ("metro b1", "released", ("A", "So."), "Held back: 'transit b1b1b1b1b1b1', 'transit b2"),
        ("transit ", "released", ("A", "So."), "No version of 'transit'"),
        ("transit b", "released", ("A", "So."), "2 versions of 'transit' were held back whose"),
    ],
)
def test_what_is_no_decision(
    lake: Lake, name: str, word: str, signed: tuple[str, str], said: str
) -> None:
    hold_back(lake)
    hold_back(lake, BROKEN_TOO)
    by, reason = signed
    with pytest.raises(QalaError) as raised:
        release.decide(lake, *name.split(" "), word, decided_by=by, reason=reason)
    assert said in str(raised.value)
    assert release.decisions(lake).is_empty()


@pytest.mark.slow
def test_the_beginning_of_an_id_names_a_version(lake: Lake) -> None:
    hold_back(lake)
    hold_back(lake, BROKEN_TOO)
    made = release.decide(lake, "transit", "b2", "rejected", decided_by="A", reason="So.")
    assert made.version_id == BROKEN_TOO


def test_a_feed_that_lacks_a_needed_file_is_held_back_with_its_codes() -> None:
    found = notices(
        notice("missing_required_file", "stops.txt"),
        notice("csv_parsing_failed", "stop_times.txt", affected_count=1200),
        notice("csv_parsing_failed", "pathways.txt"),
        notice("duplicate_key", "stops.txt", affected_count=5),
    )
    with pytest.raises(QuarantinedFeedError) as raised:
        release.require_usable(found, Policy(), "transit", BROKEN, DAY)
    assert raised.value.codes == ("missing_required_file", "csv_parsing_failed")
    assert raised.value.what == (
        "Version b1b1b1b1b1b1 of transit is held back: missing_required_file in stops.txt (1), "
        "csv_parsing_failed in stop_times.txt (1,200)."
    )
    assert "qala release transit b1b1b1b1b1b1" in raised.value.remedy
    release.require_usable(found.filter(affected_count=5), Policy(), "transit", BROKEN, DAY)


@pytest.mark.slow
def test_a_rejected_version_is_an_ordinary_failure_with_a_name(lake: Lake) -> None:
    hold_back(lake)
    made = release.decide(lake, "transit", BROKEN, "rejected", decided_by="Aigul", reason="Old.")
    error = release.rejected_error(made)
    assert isinstance(error, SourceError)
    assert not isinstance(error, QuarantinedFeedError)
    assert f"b1b1b1b1b1b1 of transit was rejected by Aigul on {ops.now():%Y-%m-%d}: Old." in str(
        error
    )


@pytest.mark.slow
def test_a_question_shows_what_was_found_and_what_stands_in(lake: Lake) -> None:
    hold_back(lake)
    good_version(lake)
    [held] = release.waiting(lake)
    asked = question(lake, held, date(2026, 11, 21))
    assert asked.subject == "Release transit b1b1b1b1b1b1?"
    assert "is held back: no stops." in asked.body
    assert "since the night of 2026-11-18" in asked.body
    assert (
        "version `a0a0a0a0a0a0` stands in, last good for the night of 2026-11-18, 3 days ago"
        in (asked.body)
    )
    # What the feed holds stays inside its cell.
    row = (
        "| `missing_required_file` | ERROR | `stops.txt` | 1 "
        "| `row 2 stop_id = {{ 7 * 7 }} ¦ 'x' **y** z` |"
    )
    assert row in asked.body.splitlines()


@pytest.mark.slow
def test_a_question_without_an_earlier_version_and_with_many_notices(lake: Lake) -> None:
    hold_back(lake)
    [held] = release.waiting(lake)
    many = [
        notice(f"code_{number:02d}", "stops.txt", severity="INFO", affected_count=number + 1)
        for number in range(MOST_NOTICES + 2)
    ]
    worst = notice("worst", "trips.txt", affected_sample="[]")
    key = version_key("transit", BROKEN)
    lake.write([Partition(release.NOTICES, key, FeedNotices, notices(*many, worst))])
    lines = question(lake, held, DAY).body.splitlines()
    table = [line for line in lines if line.startswith("| `")]
    assert len(table) == MOST_NOTICES
    assert table[0] == "| `worst` | ERROR | `trips.txt` | 1 |  |"
    assert table[1].startswith("| `code_26` | INFO")  # then the most frequent
    assert "3 further notices are in `staging.feed_notices`." in lines
    assert any("the feed has no timetable" in line for line in lines)


@pytest.mark.slow
def test_the_steps_that_tasks_and_commands_call(settings: Settings) -> None:
    assert run.waiting_feeds() == []
    with open_lake(settings, run_id="night") as lake:
        hold_back(lake)
    [asked] = run.waiting_feeds()
    assert set(asked) == {"source_id", "version_id", "subject", "body"}
    assert (asked["source_id"], asked["version_id"]) == ("transit", BROKEN)
    told = run.decide_feed(
        "transit", BROKEN, "released", decided_by="Aigul", reason="Late.", run_id="r"
    )
    assert told["outcome"] == "done"
    assert told["text"].startswith("released by Aigul on ")
    assert run.waiting_feeds() == []
    with open_lake(settings, read_only=True) as lake:
        made = release.decision(lake, "transit", BROKEN)
    assert made is not None
    assert made.run_id == "r"


@pytest.fixture
def qala(settings: Settings) -> Callable[..., Result]:
    """Runs the command line on the toy city, in this process."""
    runner = CliRunner(env={"COLUMNS": "200"})

    def call(*arguments: str) -> Result:
        return runner.invoke(app, [*arguments, "--city", str(settings.city_file)])

    return call


@pytest.mark.slow
def test_the_command_line_lists_and_decides(
    settings: Settings, qala: Callable[..., Result]
) -> None:
    nothing = qala("quarantine")
    assert (nothing.exit_code, nothing.stdout) == (0, "Nothing waits for a decision.\n")
    with open_lake(settings, run_id="night") as lake:
        hold_back(lake)
    listed = qala("quarantine")
    assert listed.exit_code == 1
    assert "Release transit b1b1b1b1b1b1?" in listed.stdout
    assert "is held back: no stops." in listed.stdout
    signed = ("--by", "Aigul", "--reason", "Old.")
    assert qala("reject", "transit", "b1b1").exit_code == 2  # who and why are not said
    decided = qala("reject", "transit", "b1b1", *signed)
    assert decided.exit_code == 0
    assert decided.stdout.startswith("transit rejected by Aigul on ")
    assert qala("quarantine").exit_code == 0
    assert qala("release", "transit", "b1b1", *signed).stdout.startswith("transit released by")
    unknown = qala("release", "transit", "c", *signed)
    assert isinstance(unknown.exception, QalaError)  # which `main` says as a sentence, exit code 2
    with open_lake(settings, read_only=True) as lake:
        words = release.decisions(lake).select("decision", "run_id").rows()
    assert words == [("rejected", "command line"), ("released", "command line")]


@pytest.mark.slow
def test_the_doctor_names_what_waits_and_its_remedy(settings: Settings) -> None:
    assert list(look_at_quarantine(settings)) == []  # there is no lake yet
    with open_lake(settings, run_id="night") as lake:
        hold_back(lake)
    [finding] = look_at_quarantine(settings)
    assert "is held back: no stops. Since the night of 2026-11-18" in finding.found
    assert "qala release transit b1b1b1b1b1b1" in finding.remedy
    with open_lake(settings, run_id="night") as lake:
        release.decide(lake, "transit", BROKEN, "rejected", decided_by="A", reason="So.")
    [finding] = look_at_quarantine(settings)
    assert finding.is_well


def test_the_doctor_names_overrides_that_have_expired(settings: Settings) -> None:
    [finding] = look_at_policy(settings)
    assert finding.is_well
    name_policy(settings, "2020-01-01")
    told, expired = look_at_policy(settings)
    assert told.is_well
    assert "toy.policy.toml: 1 rules" in told.found
    assert expired.found == "The override of invalid_url by A. Person expired on 2020-01-01."
    assert expired.remedy


@pytest.mark.slow
def test_the_end_of_a_night_names_what_waits_for_a_person(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_policy(settings, "2026-11-18")
    said = Console(record=True, width=200, file=io.StringIO())
    with open_lake(settings, run_id="night") as lake:
        hold_back(lake)
    city = load_city(settings.city_file)
    print_summary(said, settings, city, DAY, datetime(2026, 11, 19, tzinfo=UTC))
    lines = said.export_text().splitlines()
    assert "Version b1b1b1b1b1b1 of transit is held back: no stops. See qala quarantine." in lines
    assert "The override of invalid_url by A. Person expired on 2026-11-18." in lines


def name_policy(settings: Settings, expires: str, severity: str = "INFO") -> None:
    """Give the toy city a policy of one rule on `invalid_url`."""
    named = settings.city_file.read_text().replace(
        "[city]\n", '[city]\npolicy = "toy.policy.toml"\n'
    )
    if "toy.policy.toml" not in settings.city_file.read_text():
        settings.city_file.write_text(named)
    (settings.city_file.parent / "toy.policy.toml").write_text(
        f'[[rule]]\ncode = "invalid_url"\nseverity = "{severity}"\nowner = "A. Person"\n'
        f'reason = "Nobody reads it."\nexpires = {expires}\n'
    )


@pytest.mark.slow
def test_a_night_judges_its_feeds_by_the_city_s_policy(settings: Settings) -> None:
    agency = FILES["agency"].replace("https://example.org", "no address")
    (settings.city_file.parent / "transit.zip").write_bytes(toy_feed(agency=agency))
    key = DAY.isoformat()
    run.load("transit", run.fetch("transit", key, "r"), key, "r")

    def quality() -> tuple[str, tuple[str, str, str | None]]:
        outcome = run.build("marts.feed_quality", key, "r")["outcome"]
        with open_lake(settings, read_only=True) as lake:
            rows = lake.read("marts.feed_quality", FeedQuality, "notice_code = 'invalid_url'")
        [row] = rows.iter_rows(named=True)
        return outcome, (row["severity"], row["effective_severity"], row["overridden_by"])

    assert quality() == ("done", ("ERROR", "ERROR", None))
    assert quality()[0] == "unchanged"
    name_policy(settings, "2027-01-01")
    assert quality() == ("done", ("ERROR", "INFO", "A. Person"))
    assert quality()[0] == "unchanged"
    name_policy(settings, "2027-01-01", severity="WARNING")
    assert quality() == ("done", ("ERROR", "WARNING", "A. Person"))
    name_policy(settings, "2026-11-18")  # it no longer holds on the night
    assert quality() == ("done", ("ERROR", "ERROR", None))
