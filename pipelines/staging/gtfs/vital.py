"""Values without which a row is of no use: the row is refused, where others become null."""

from __future__ import annotations

from pipelines.staging.gtfs.specification import FILES

# References without which a row is of no use, beside those of vital fields. A blank of a transfer
# stands for any stop, route or trip.
VITAL_REFERENCES = frozenset({("stop_times", "stop_id")}) | {
    ("transfers", f"{side}_{what}_id")
    for side in ("from", "to")
    for what in ("stop", "route", "trip")
}


def is_vital(name: str, column: str) -> bool:
    """Whether a row is of no use without a good value of the column."""
    return FILES[name].column(column).is_vital or (name, column) in VITAL_REFERENCES
