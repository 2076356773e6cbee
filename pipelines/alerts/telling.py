"""Telling: each alert goes once to each channel that wants its kind.

A channel that took an alert is written down (`ops.alerts`); one that did not is asked again by the
next look, and holds back neither the others nor a night. A process that is killed between the two
may tell twice, never not at all. Where the lake itself is out of reach, that is told instead, once
a day and machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.alert_channels import Channel
from pipelines.alert_kinds import RUNBOOK, heading
from pipelines.alerts.due import Alert, due_alerts
from pipelines.alerts.send import send
from pipelines.city_file import City
from pipelines.errors import AlertError, LakeError
from pipelines.settings import Settings, load_secrets
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake, open_lake

ALERTS = "ops.alerts"


def message(city: City, alert: Alert) -> tuple[str, str]:
    """Subject and text: what, since when, and where it stands what to do."""
    title = heading(alert.kind)
    lines = (alert.what, f"Since: {alert.since}.", f"What to do: {RUNBOOK}, '{title}'.")
    return f"{city.city.name}: {title}", "\n".join(lines)


def untold(lake: Lake, city: City, now: datetime) -> list[tuple[Alert, Channel]]:
    """What is to be told to whom, of all that there is to tell."""
    told = lake.read(ALERTS, ops.Alerts).select("kind", "subject", "channel").rows()
    known = set(told)
    return [
        (alert, channel)
        for alert in due_alerts(lake, city, now)
        for channel in city.alerts
        if channel.wants(alert.kind) and (alert.kind, alert.subject, channel.name) not in known
    ]


def tell(
    settings: Settings, city: City, run_id: str, now: datetime, connections: Mapping[str, str]
) -> int:
    """Tell what nobody was told yet; how much that was.

    Raises `AlertError` where a channel has not taken all, after all others were told.
    """
    if not city.alerts:
        return 0
    names = {name for channel in city.alerts for name in channel.secret_names}
    secrets = load_secrets(sorted(names), connections)
    try:
        with open_lake(settings, run_id=run_id) as lake:
            waiting = untold(lake, city, now)
            failures = [_tell_one(lake, city, secrets, *pair) for pair in waiting]
    except LakeError as error:
        _tell_of_the_lake(settings, city, secrets, now, error)
        raise
    _complain([failure for failure in failures if failure])
    return len(waiting)


def tell_a_test(city: City, connections: Mapping[str, str]) -> list[AlertError]:
    """Send a message to every channel; what went wrong."""
    names = {name for channel in city.alerts for name in channel.secret_names}
    secrets = load_secrets(sorted(names), connections)
    failures = []
    for channel in city.alerts:
        kinds = ", ".join(channel.kinds) or "all kinds"
        try:
            send(channel, secrets, f"{city.city.name}: a test", f"Alerts come here: {kinds}.")
        except AlertError as error:
            failures.append(error)
    return failures


def _tell_one(
    lake: Lake, city: City, secrets: Mapping[str, str], alert: Alert, channel: Channel
) -> AlertError | None:
    try:
        send(channel, secrets, *message(city, alert))
    except AlertError as error:
        return error
    row = {**vars(alert), "channel": channel.name, "run_id": lake.run_id, "told_at": ops.now()}
    types = {name: column.dtype for name, column in ops.Alerts.columns().items()}
    lake.write(added=[Added(ALERTS, ops.Alerts, pl.DataFrame([row], schema=types))])
    return None


def _tell_of_the_lake(
    settings: Settings, city: City, secrets: Mapping[str, str], now: datetime, error: LakeError
) -> None:
    """Without the lake nothing can be looked up or written down: a file says what was told."""
    today = now.astimezone(ZoneInfo(city.city.time_zone)).date()
    alert = Alert("lake_out_of_reach", str(today), error.what, f"{now:%Y-%m-%d %H:%M} UTC")
    for number, channel in enumerate(city.alerts):
        mark = Path(settings.data, "alerts", f"lake-{today}-{number}")
        if channel.wants(alert.kind) and not mark.exists():
            send(channel, secrets, *message(city, alert))
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def _complain(failures: Sequence[AlertError]) -> None:
    if failures:
        texts = dict.fromkeys(failure.what for failure in failures)
        raise AlertError(
            f"{len(failures)} alerts were not taken: {' '.join(texts)}", failures[0].remedy
        )
