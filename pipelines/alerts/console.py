"""What `qala alerts` prints: what there is to tell, and how tests of the channels went."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console

from pipelines.alerts.due import due_alerts
from pipelines.alerts.telling import message, tell_a_test
from pipelines.city_file import City
from pipelines.settings import Settings
from pipelines.warehouse.lake import open_lake


def print_due(console: Console, settings: Settings, city: City) -> None:
    """Print everything there is to tell, told before or not."""
    with open_lake(settings, read_only=True) as lake:
        due = due_alerts(lake, city, datetime.now(UTC))
    for alert in due:
        subject, body = message(city, alert)
        console.print(f"{subject}\n{body}\n", markup=False, highlight=False, soft_wrap=True)
    if not due:
        console.print("Nothing to tell.")


def print_tests(console: Console, city: City) -> int:
    """Send a test to every channel, print how it went, and return how many failed."""
    failures = tell_a_test(city, {})
    for failure in failures:
        console.print(str(failure), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(city.alerts) - len(failures)} of {len(city.alerts)} channels took a test.")
    return len(failures)
