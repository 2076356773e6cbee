"""Delivery: a published night's extracts are handed over, file by file, each with a receipt row.

Today the target is a folder (a mounted share). A file that is there already with the same bytes
is left alone; one that fails does not hold back the others, and the step fails at the end.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import polars as pl

from pipelines.errors import QalaError, sample_text
from pipelines.publication import file_sha256
from pipelines.settings import City, Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Added, Lake

Receipt = dict[str, object]


def deliver_night(
    lake: Lake, settings: Settings, city: City, service_date: date
) -> tuple[str, int | None, str]:
    """Copy the night's extracts to the delivery folder of the city file, if it names one.

    Raises `QalaError` where the night has no extracts, or files could not be handed over.
    """
    source = settings.publish / "extracts" / service_date.isoformat()
    if not (source / "manifest.json").is_file():
        raise QalaError(
            f"There are no extracts of {service_date} to deliver.", "Publish the night first."
        )
    if not city.delivery.folder:
        return "unchanged", 0, "the city file names no delivery folder"
    target = settings.city_file.parent / city.delivery.folder / service_date.isoformat()
    # The manifest goes last: who sees it sees all that it lists.
    files = sorted(source.iterdir(), key=lambda path: (path.name == "manifest.json", path.name))
    receipts = [_hand_over(path, target) for path in files]
    rows = pl.DataFrame(
        [
            {
                "service_date": service_date,
                "target": str(target),
                "run_id": lake.run_id,
                "delivered_at": ops.now(),
                **receipt,
            }
            for receipt in receipts
        ],
        schema={name: column.dtype for name, column in ops.Deliveries.columns().items()},
    )
    lake.write(added=[Added("ops.deliveries", ops.Deliveries, rows)])
    failed = [f"{r['file_name']}: {r['reason']}" for r in receipts if r["outcome"] == "failed"]
    if failed:
        raise QalaError(
            f"{len(failed)} of {len(receipts)} files were not delivered to {target}: "
            f"{sample_text(failed)}.",
            "Mend the target and run the delivery again: it goes on where it stopped.",
        )
    done = sum(receipt["outcome"] == "delivered" for receipt in receipts)
    return "done" if done else "unchanged", done, str(target)


def _hand_over(path: Path, folder: Path) -> Receipt:
    target = folder / path.name
    expected = file_sha256(path)
    receipt: Receipt = {
        "file_name": path.name,
        "sha256": expected,
        "size_bytes": path.stat().st_size,
        "outcome": "unchanged",
        "reason": "",
    }
    if file_sha256(target) == expected:
        return receipt
    partial = folder / f".{path.name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(path.read_bytes())
        if file_sha256(partial) != expected:
            raise OSError("what arrived is not what was sent")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        return {**receipt, "outcome": "failed", "reason": str(error)}
    return {**receipt, "outcome": "delivered"}
