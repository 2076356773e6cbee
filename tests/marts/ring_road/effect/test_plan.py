"""The plan is what its document says of Almaty, and its hash is that of its values."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, replace
from datetime import date

import pytest

from pipelines.city_file import load_city
from pipelines.marts.ring_road.effect.plan import Plan, Window
from pipelines.settings import ROOT

PLAN = Plan(events=load_city(ROOT / "cities" / "almaty.toml").dated_events)
PAGE = (ROOT / "docs" / "ring-road-plan.md").read_text(encoding="utf-8")


def test_the_document_holds_the_plan_and_its_hash() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    written = tomllib.loads(block)
    assert written == PLAN.values()
    assert re.findall(r"`([0-9a-f]{64})`", PAGE) == [PLAN.sha256()]


def test_any_other_value_has_another_hash() -> None:
    assert replace(PLAN).sha256() == PLAN.sha256()
    hashes = {PLAN.sha256()}
    for name, value in asdict(PLAN).items():
        other = PLAN.events[:1] if name == "events" else value + 1
        hashes.add(replace(PLAN, **{name: other}).sha256())
    assert len(hashes) == 1 + len(asdict(PLAN))


def test_how_an_event_is_called_decides_nothing() -> None:
    opening, tariffs = PLAN.events
    renamed = replace(opening, event_name="Ring", source_address="elsewhere")
    assert replace(PLAN, events=(renamed, tariffs)).sha256() == PLAN.sha256()
    later = replace(opening, settled_date=date(2023, 7, 22))
    assert replace(PLAN, events=(later, tariffs)).sha256() != PLAN.sha256()


def test_an_event_is_measured_between_its_neighbours() -> None:
    assert PLAN.window("opening and tolls") == Window(
        date.min, date(2023, 6, 16), date(2023, 7, 21), date(2026, 1, 1)
    )
    assert PLAN.window("tariff change") == Window(
        date(2023, 7, 21), date(2026, 1, 1), date(2026, 1, 1), date.max
    )
    with pytest.raises(KeyError):
        PLAN.window("closure")


def test_whole_weeks_alone_lie_before_or_after() -> None:
    window = PLAN.window("opening and tolls")
    assert window.is_before(date(2023, 6, 5), 7)
    assert not window.is_before(date(2023, 6, 12), 7)
    assert not window.is_after(date(2023, 7, 17), 7)
    assert window.is_after(date(2023, 7, 24), 7)
    assert window.is_after(date(2025, 12, 22), 7)
    assert not window.is_after(date(2025, 12, 29), 7)
