"""What nights leave behind becomes alerts: each told once to each channel that wants it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines import run
from pipelines.alert_kinds import KINDS, Kind
from pipelines.alerts import send as sending
from pipelines.alerts import telling
from pipelines.alerts.due import due_alerts
from pipelines.alerts.telling import tell
from pipelines.backup import make_backup
from pipelines.city_file import City, load_city
from pipelines.errors import AlertError, LakeError
from pipelines.settings import ROOT, Settings, load_settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, open_lake
from tests.alerts.receivers import Hook, Mailbox, serving
from tests.toy_city import SMALL, run_night

pytestmark = pytest.mark.slow

DAY = date(2026, 11, 18)
IN_TIME = datetime(2026, 11, 19, 1, 0, tzinfo=UTC)  # 06:00 in Almaty, an hour before the deadline
LATE = datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
ALERTS = """
[[alerts]]
name = "duty"
by = "mail"
kinds = ["late_night", "failed_night", "stale_source", "failed_delivery", "lake_out_of_reach"]
server = "{secret:mail_server}"
sender = "{secret:mail_people}"
recipients = "{secret:mail_people}"

[[alerts]]
name = "room"
by = "webhook"
address = "{secret:hook}"
"""


@pytest.fixture
def toytown(small_city: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (small_city / "toy.toml").write_text(SMALL + ALERTS)
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.0)
    return small_city


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Mailbox, Hook]]:
    with serving(Mailbox()) as mailbox, serving(Hook()) as hook:
        server = f"smtp://127.0.0.1:{mailbox.server_address[1]}"
        monkeypatch.setenv("QALA_SECRET_MAIL_SERVER", server)
        monkeypatch.setenv("QALA_SECRET_MAIL_PEOPLE", "duty@toy.org")
        monkeypatch.setenv("QALA_SECRET_HOOK", f"http://127.0.0.1:{hook.server_port}/hush")
        yield mailbox, hook


def city() -> tuple[Settings, City]:
    settings = load_settings()
    return settings, load_city(settings.city_file)


def kinds_due(now: datetime = IN_TIME) -> list[str]:
    settings, toy = city()
    with open_lake(settings, read_only=True) as lake:
        return [alert.kind for alert in due_alerts(lake, toy, now)]


def published_in_the_end() -> None:
    """Close the night of the 19th once more, with a good end."""
    settings, _ = city()
    with open_lake(settings, run_id="again") as lake:
        steps = lake.read("ops.steps", ops.Steps, "step = 'close' AND outcome = 'failed'")
        good = steps.with_columns(outcome=pl.lit("done"), ended_at=pl.lit(ops.now()))
        lake.write(added=[Added("ops.steps", ops.Steps, good)])


def test_a_good_night_is_silent(toytown: Path) -> None:
    assert kinds_due() == []
    assert kinds_due(LATE) == []


@pytest.mark.parametrize(("now", "kinds"), [(IN_TIME, []), (LATE, ["late_night"])])
def test_a_night_is_late_at_its_deadline(toytown: Path, now: datetime, kinds: list[str]) -> None:
    assert kinds_due(now + timedelta(days=1)) == kinds


def test_a_failed_night_and_a_stale_source(toytown: Path) -> None:
    (toytown / "transit.zip").write_bytes(b"no feed")  # critical
    (toytown / "fleet.csv").write_text("no register\n")
    run_night("2026-11-19")
    assert kinds_due(LATE) == ["failed_night", "stale_source", "stale_source"]
    monthly = SMALL.replace('kind = "', 'cadence_days = 30\nkind = "')
    (toytown / "toy.toml").write_text(monthly + ALERTS)
    assert kinds_due(LATE) == ["failed_night"]  # their owners update them once a month
    published_in_the_end()
    assert kinds_due(LATE) == []


def test_what_the_audit_and_a_delivery_left(toytown: Path) -> None:
    settings, _ = city()
    with open_lake(settings, run_id="made up") as lake:
        steps = lake.read("ops.steps", ops.Steps, "step = 'close'")
        later = pl.lit(ops.now())
        failed = steps.with_columns(outcome=pl.lit("failed"), ended_at=later)
        audit = failed.with_columns(step=pl.lit("audit"))
        types = {name: c.dtype for name, c in ops.Deliveries.columns().items()}
        receipt = ["manifest.json", "sftp:///in", "", 1, "failed", "no room", "run"]
        now = datetime(2026, 11, 18, 23, tzinfo=UTC)
        delivery = pl.DataFrame([(DAY, *receipt, now)], schema=types, orient="row")
        lake.write(
            added=[
                Added("ops.steps", ops.Steps, pl.concat([failed, audit])),
                Added("ops.deliveries", ops.Deliveries, delivery),
            ]
        )
    assert kinds_due() == ["failed_audit", "failed_delivery"]


def test_a_backup_that_is_older_than_allowed(toytown: Path, tmp_path: Path) -> None:
    file = toytown / "toy.toml"
    file.write_text(file.read_text() + "\n[upkeep]\nbackup_days = 2\n")
    settings, toy = city()
    now = datetime.now(UTC)  # a backup is of the moment at which it was made

    def told(days: float) -> list[str]:
        with open_lake(settings, read_only=True) as lake:
            found = due_alerts(lake, toy, now + timedelta(days=days))
        return [alert.what for alert in found if alert.kind == "old_backup"]

    assert told(0) == ["There is no backup; 2 days are allowed."]
    make_backup(settings, toy, tmp_path / "backups", "test", now)
    assert told(1.9) == []
    assert len(told(2.1)) == 1
    file.write_text(SMALL + ALERTS)
    toy = city()[1]
    assert told(99) == [], "nobody asked for backups"


def test_each_alert_is_told_once(toytown: Path, channels: tuple[Mailbox, Hook]) -> None:
    mailbox, hook = channels
    settings, toy = city()
    late = LATE + timedelta(days=1)
    hook.status = 503
    with pytest.raises(AlertError, match=r"room .* did not take") as found:
        tell(settings, toy, "first", late, {})
    assert "hush" not in str(found.value)
    assert len(mailbox.mails) == 1  # the other channel was told all the same
    assert "A night is late" in mailbox.mails[0]
    assert "Since: 2026-11-20 07:00 +0500." in mailbox.mails[0]
    hook.status, hook.posts = 200, []
    assert tell(settings, toy, "second", late, {}) == 1
    assert tell(settings, toy, "third", late, {}) == 0
    assert len(mailbox.mails) == 1
    [(_, told)] = hook.posts
    assert told["subject"] == "Toytown: A night is late"
    assert "What to do: docs/runbook.md, 'A night is late'." in told["text"]


def test_a_lake_out_of_reach_is_told_once_a_day(
    toytown: Path, channels: tuple[Mailbox, Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox, hook = channels
    settings, toy = city()

    def out_of_reach(*_: object, **__: object) -> None:
        raise LakeError("The lake's catalog can't be opened.", "Check it.")

    monkeypatch.setattr(telling, "open_lake", out_of_reach)
    for hours in (0, 1, 24):
        with pytest.raises(LakeError):
            tell(settings, toy, "run", LATE + timedelta(hours=hours), {})
    assert (len(mailbox.mails), len(hook.posts)) == (2, 2)


def test_without_channels_nothing_is_looked_at(toytown: Path) -> None:
    (toytown / "toy.toml").write_text(SMALL)
    assert run.alert_secret_names() == []
    assert run.tell_alerts("run")["outcome"] == "unchanged"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_alert_has_its_entry_in_the_runbook(kind: Kind) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    name, title = kind.name, kind.heading
    entry = runbook.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert len(entry.split()) >= 30, f"docs/runbook.md says too little of '{title}'"
    assert name in (ROOT / "docs" / "add-a-city.md").read_text(encoding="utf-8")
