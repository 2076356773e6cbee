"""A night with keys of every kind leaves none of them behind: not in lake, landing or publication,
not in a report, a log or an error's text."""

from __future__ import annotations

import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from pipelines import run
from pipelines.alerts import send as sending
from pipelines.errors import AlertError
from pipelines.sources.fetch import retries
from tests.sources.upstream import Reply, serving
from tests.test_plates_in_clear import found_on_disk
from tests.toy_city import FLEET, SMALL, run_night, write_toy_city

pytestmark = pytest.mark.slow

DAY = "2026-11-18"
SECRETS = {
    "feed": "hush-feed-4711/key+x",
    "user": "hush-user-0815",
    "register": "hush-register-2342",
    "token": "7461:hush-telegram-AAH",
    "chat": "-100hush5555",
    "hook": "http://127.0.0.1:1/hush-hook-9999",
}
ALERTS = """
[[alerts]]
name = "duty"
by = "telegram"
token = "{secret:token}"
chat = "{secret:chat}"

[[alerts]]
name = "room"
by = "webhook"
address = "{secret:hook}"
"""


def test_no_secret_is_left_anywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(sending, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(sending, "TELEGRAM", "http://127.0.0.1:1")
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"QALA_SECRET_{name.upper()}", value)
    with serving() as server:
        feed = f"{server.url.replace('://', '://{secret:user}:{secret:feed}@')}/feed.zip"
        register = f"{server.url}/fleet.csv?key={{secret:register}}"
        more = 'allow_private = true\nheaders = { "X-Key" = "{secret:feed}" }\n'
        city = (
            SMALL.replace('"transit.zip"\n', f'"{feed}"\n{more}')
            .replace('"fleet.csv"\n', f'"{register}"\n{more}')
        )  # fmt: skip
        path = write_toy_city(tmp_path / "city", city=city + ALERTS)
        monkeypatch.setenv("QALA_CITY", str(path))
        monkeypatch.setenv("QALA_DATA", str(tmp_path / "data"))
        server.tell("/feed.zip", Reply(body=(tmp_path / "city" / "transit.zip").read_bytes()))
        server.tell("/fleet.csv", Reply(body=FLEET.encode()))
        told = run_night(DAY)
        assert not [report for report in told.values() if isinstance(report, Exception)], told
        # A register that fails with its key in the answer, its address and its headers.
        server.tell("/fleet.csv", Reply(403, SECRETS["register"].encode()))
        failing = run_night("2026-11-19")
        assert failing["load fleet"]["outcome"] == "stale"  # type: ignore[index]  # a report
        with pytest.raises(AlertError) as refused:
            run.tell_alerts("run")
        asked = server.asked
    assert any(SECRETS["feed"] in one.headers.values() for one in asked), "keys were sent"
    assert any(SECRETS["register"] in one.path for one in asked)
    hidden = {form for value in SECRETS.values() for form in (value, quote(value, safe=""))}
    hidden |= {"hush"}
    assert found_on_disk(tmp_path / "data", *hidden) == set()
    assert found_on_disk(tmp_path / "data", "127.0.0.1") == {"127.0.0.1"}, "looked at rightly"
    words = [str(told), str(failing), str(refused.value), caplog.text, *capfd.readouterr()]
    assert not [form for form in hidden for text in words if form in text]
