"""Withdrawal: an edition of extracts that turned out wrong is called back, and never deleted.

A person withdraws the latest edition of a service date. Its folder gets `WITHDRAWN.json`, and
`notices.jsonl` beside the folders gets a line, both signed where the house has a key. Publishing
the date again with other contents makes the edition that stands in its place; another date's may be
named instead. The notices are written again at each publication, so that they name the successor.

Left out: the analysts' file, which always holds what the latest publication told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from pipelines.city_file import City
from pipelines.errors import QalaError
from pipelines.locks import exclusive
from pipelines.settings import Settings
from pipelines.signing import Signer
from pipelines.trusted_keys import load_signer
from pipelines.warehouse.editions import (
    Withdrawal,
    editions,
    withdrawal_partition,
    withdrawals,
)
from pipelines.warehouse.lake import Lake
from pipelines.withdrawn import NOTICE_FILE, NOTICES_FILE, Notice, notices_file, signed_notice

LOCK_SECONDS = 600.0  # how long a withdrawal waits for a publication


def withdraw_extracts(
    lake: Lake,
    settings: Settings,
    city: City,
    service_date: date,
    *,
    reason: str,
    successor_date: date | None = None,
) -> str:
    """Withdraw the latest edition of a service date, and say so in a sentence.

    Raises `QalaError` where none was sent, no reason is given, or the successor was not sent.
    """
    if not reason.strip():
        raise QalaError("Extracts are withdrawn for a reason.", "Say it with --reason.")
    with exclusive(settings.publish / ".lock", "A publication", wait_seconds=LOCK_SECONDS):
        for day in (service_date, *([successor_date] if successor_date else [])):
            if not editions(lake, day):
                raise QalaError(
                    f"No extracts of {day} were ever published.", "Look for the date in extracts/."
                )
        edition = editions(lake, service_date)[-1].edition
        withdrawal = Withdrawal(service_date, edition, reason.strip(), successor_date)
        lake.write([withdrawal_partition(lake, withdrawal)])
        signer = load_signer(settings)
        write_notices(lake, settings, city, signer)
    return f"Edition {edition} of {service_date} is withdrawn ({signer.text})."


def write_notices(lake: Lake, settings: Settings, city: City, signer: Signer) -> None:
    """Write every notice of withdrawal to where it belongs; one that is there is left alone."""
    folder = settings.publish / "extracts"
    notices = list(_notices(lake, city, signer))
    if notices:
        _write(folder / NOTICES_FILE, notices_file(notices))
    for notice in notices:
        day = date.fromisoformat(str(notice.told["service_date"]))
        place = folder / day.isoformat()
        if place.is_dir() and editions(lake, day)[-1].edition == notice.told["edition"]:
            _write(place / NOTICE_FILE, notice.line())


def _notices(lake: Lake, city: City, signer: Signer) -> Iterator[Notice]:
    for withdrawal in withdrawals(lake):
        sent = editions(lake, withdrawal.service_date)
        told = {
            "city": city.city.id,
            "service_date": withdrawal.service_date.isoformat(),
            "edition": withdrawal.edition,
            "manifest_sha256": sent[withdrawal.edition - 1].manifest_sha256,
            "reason": withdrawal.reason,
            "successor": _successor(withdrawal, sent[-1].edition),
        }
        yield signed_notice(told, signer)


def _successor(withdrawal: Withdrawal, last_edition: int) -> str | None:
    if withdrawal.successor_date:
        return f"the extracts of {withdrawal.successor_date}"
    if last_edition > withdrawal.edition:
        return f"edition {withdrawal.edition + 1} of {withdrawal.service_date}"
    return None


def _write(path: Path, payload: bytes) -> None:
    if path.is_file() and path.read_bytes() == payload:
        return
    building = path.with_name(f".{path.name}.{os.getpid()}.building-")
    building.write_bytes(payload)
    building.replace(path)
