"""Restatements: which figures that were sent before are told otherwise now.

Two tellings of a table are compared row by row, by key. Of the same service date every difference
counts: a value that changed, a row that came, a row that went. Of an earlier night only figures
with a period of their own can be compared (a month, a day, years from and to), and only where the
period had ended before that night; what a table no longer reaches back to is no restatement.

Why is told by what has changed below a table: its definition, the versions of sources it is made
from (late data is a new object of a source), or nothing of these (then code or libraries).

Left out: columns that an edition lacks, since nothing was told in them; the changelog names these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

import polars as pl

Change = dict[str, object]
Source = Mapping[str, str]
NIGHTLY = ("service_date", "day_type")  # another night says another thing by right
NOT_COMPARED = frozenset({"marts.ring_road_restatements"})  # each night tells of the one before
_OTHER_DEFINITION = "changed definition"
_OTHER_VERSION = "new version of a source"
_LATE = "late data"
_GONE = "data of a source went"
_OTHER_CODE = "other code or libraries"


def changed_rows(
    before: pl.DataFrame, now: pl.DataFrame, key: Sequence[str], *, same_date: bool = True
) -> list[Change]:
    """The rows that are told otherwise, in key order: each with its key, `from` and `to`.

    `from` is null for a row that was not told before, `to` for one that no longer is; else both
    hold the columns that changed. With `same_date=False` the rows are those of two nights.
    """
    key = [name for name in key if same_date or name not in NIGHTLY]
    if not same_date:
        before, now = _comparable(before, now, key)
    told = [
        name
        for name in now.columns
        if name in before.columns and name not in key and (same_date or name not in NIGHTLY)
    ]
    marked = [frame.select(*key, *told, is_told=pl.lit(value=True)) for frame in (before, now)]
    both = marked[0].join(
        marked[1], on=key, how="full", coalesce=True, suffix=_NOW, nulls_equal=True
    )
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}{_NOW}")) for name in (*told, "is_told")
    )
    rows = both.filter(differs).sort(key).iter_rows(named=True)
    return [_change(row, key, told) for row in rows]


_NOW = "\x00now"


def _change(row: Mapping[str, object], key: Sequence[str], told: Sequence[str]) -> Change:
    was, is_now = row["is_told"], row[f"is_told{_NOW}"]
    names = [n for n in told if not (was and is_now) or row[n] != row[f"{n}{_NOW}"]]
    return {
        "key": {name: _plain(row[name]) for name in key},
        "from": {name: _plain(row[name]) for name in names} if was else None,
        "to": {name: _plain(row[f"{name}{_NOW}"]) for name in names} if is_now else None,
    }


def _comparable(
    before: pl.DataFrame, now: pl.DataFrame, key: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of two nights' rows those whose period had ended before the earlier one, told by both.

    A row that went counts where the table still reaches back to its period.
    """
    name = period_column(key)
    if name is None or before.is_empty() or now.is_empty():
        return before.clear(), now.clear()
    end = period_end(name, now.columns)
    earlier = before.get_column("service_date").max()
    told = before.filter(end < pl.lit(earlier), pl.col(name) >= now.get_column(name).min())
    return told, now.join(told.select(key), on=key, how="semi", nulls_equal=True)


def period_column(key: Collection[str]) -> str | None:
    """The column of a key that dates the row's own period, if it has one."""
    return next((n for n in key if n.endswith("_date") and n not in NIGHTLY), None)


def period_end(name: str, columns: Collection[str]) -> pl.Expr:
    """The last day of a row's own period, which a column of the key dates."""
    if name == "month_date":
        return pl.col(name).dt.month_end()
    last = name.removesuffix("_from_date") + "_to_date"
    return pl.col(last if name.endswith("_from_date") and last in columns else name)


def causes(
    before: Mapping[str, str],
    now: Mapping[str, str],
    sources_before: Iterable[Source],
    sources_now: Iterable[Source],
    kinds: Collection[str],
) -> list[dict[str, str]]:
    """Why a table is told otherwise: of its definition, and of the sources of the kinds it reads.

    `before` and `now` hold its `definition_version`; a source's object has source_id, object_name,
    kind and version_id.
    """
    found = []
    if before["definition_version"] != now["definition_version"]:
        found.append(
            {
                "cause": _OTHER_DEFINITION,
                "from": before["definition_version"],
                "to": now["definition_version"],
            }
        )
    old, new = (_versions(told, kinds) for told in (sources_before, sources_now))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        cause = {"source_id": name[0], "object_name": name[1]}
        if name not in old:
            found.append({"cause": _LATE, **cause, "to": new[name]})
        elif name not in new:
            found.append({"cause": _GONE, **cause, "from": old[name]})
        else:
            found.append({"cause": _OTHER_VERSION, **cause, "from": old[name], "to": new[name]})
    return found or [{"cause": _OTHER_CODE}]


def _versions(sources: Iterable[Source], kinds: Collection[str]) -> dict[tuple[str, str], str]:
    return {
        (source["source_id"], source["object_name"]): source["version_id"]
        for source in sources
        if source["kind"] in kinds
    }


def _plain(value: object) -> object:
    """A value as JSON holds it: dates as ISO 8601, what JSON would round as text."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and abs(value) >= 2**53:
        return str(value)
    return value
