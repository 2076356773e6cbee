"""Which notices stop a feed version: after them there is no timetable that figures may stand on.

A broken row is refused by itself and a broken value becomes null; a feed is stopped only where a
whole file that says when, where or what runs can't be used. What stops one feed touches no other:
its last good version stands in, and a person may release the version all the same. Left out: what
can't be read at all (no archive, nothing in it that is GTFS), which nobody can release, and a feed
of which too many rows are refused, which `max_quarantine_share` of the city file decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from pipelines.staging.gtfs.specification import FILES
from pipelines.staging.gtfs.vital import is_vital

# Required of every feed (gtfs.org, Schedule Reference); stops.txt unless zones stand for it.
NEEDED = frozenset({"agency", "stops", "routes", "trips", "stop_times"})
# Besides, what says when trips run: without the rest of it, a part of the service is lost unseen.
TIMETABLE = NEEDED | {"calendar", "calendar_dates", "frequencies"}

# Code, and the files in which it stops the feed. In others (shapes, fares, pathways, ...) the file
# alone is lost.
STOPPING: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "missing_required_file": NEEDED,
        "missing_calendar_and_calendar_date_files": frozenset({"calendar"}),
        "empty_file": NEEDED,
        "csv_parsing_failed": TIMETABLE,
        "too_many_rows": TIMETABLE,
        "missing_required_column": TIMETABLE,
        "duplicated_column": TIMETABLE,
    }
)
# These stop a feed only where the column is one without which a row is of no use.
OF_COLUMNS = frozenset({"missing_required_column", "duplicated_column"})


def stops_feed(code: str, file_name: str, columns: Collection[str | None] = ()) -> bool:
    """Whether a notice stops its feed, unless the city's policy says otherwise.

    `file_name` is the file as the notice names it (``stops.txt``), `columns` those that the notice
    speaks of; where it names none, it may be any.
    """
    name = file_name.removesuffix(".txt")
    if name not in STOPPING.get(code, ()):
        return False
    named = [column for column in columns if column]
    if code == "csv_parsing_failed" and named:
        return False  # one value could not be read, and the file was read on
    if code not in OF_COLUMNS or not named:
        return True
    known = FILES[name].column_names
    return any(column in known and is_vital(name, column) for column in named)
