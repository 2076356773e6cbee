"""Commitments: what was promised, one `[[commitment]]` of a TOML file each, and its `[[target]]`s.

A commitment has an `id`, a `rank`, the `source` and its `sentence`, an `indicator` in our words,
and may have a target, a deadline, a baseline, a `figure` that measures it (`FIGURE_KEYS`) and a
`forecast` of the day on which it is met (`FORECAST_KEYS`). A target is one that was announced at
some time for a commitment, with the value `published` nearest to its deadline and the `figure` that
measures it by days in its column `latest` (`TARGET_KEYS`).
`cities/almaty.commitments.toml` shows every key but the baseline.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

import polars as pl

from pipelines.errors import SourceError, sample_text
from pipelines.night import SourceVersion
from pipelines.sources.table import described

REQUIRED_KEYS = ("id", "rank", "source", "sentence", "indicator")
# Key of the file -> column of `staging.commitments`.
KEYS: Mapping[str, str] = MappingProxyType(
    {
        "id": "commitment_id",
        "rank": "rank",
        "source": "source_name",
        "sentence": "sentence",
        "indicator": "indicator",
        "unit": "unit",
        "direction": "direction",
        "target": "target_value",
        "target_comparison": "target_comparison",
        "target_text": "target_text",
        "deadline": "deadline_date",
        "baseline": "baseline_value",
        "baseline_date": "baseline_date",
        "needs": "needed_input",
    }
)
FIGURE_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "table": "figure_table",
        "column": "figure_column",
        "share_column": "figure_share_column",
        "low_column": "figure_low_column",
        "high_column": "figure_high_column",
        "where": "figure_where_json",
        "latest": "figure_latest_column",
        "scope": "figure_scope",
    }
)
FORECAST_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "table": "forecast_table",
        "column": "forecast_column",
        "low_column": "forecast_low_column",
        "high_column": "forecast_high_column",
        "where": "forecast_where_json",
    }
)
REQUIRED_OF_TARGET = ("id", "commitment", "source", "address", "statement", "value", "deadline")
# Key of the file -> column of `staging.announced_targets`.
TARGET_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "id": "target_id",
        "commitment": "commitment_id",
        "announced": "announced_date",
        "announced_text": "announced_text",
        "source": "source_name",
        "address": "source_address",
        "statement": "statement",
        "indicator": "indicator",
        "unit": "unit",
        "value": "target_value",
        "comparison": "target_comparison",
        "deadline": "deadline_date",
    }
)
PUBLISHED_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "value": "published_value",
        "date": "published_date",
        "scope": "published_scope",
        "address": "published_address",
    }
)
_MEND = "Mend that entry; cities/almaty.commitments.toml shows how one is written."


def parse_commitments(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frames `commitments` and `targets`: text columns, one row per entry in the file's order.

    SourceError where the file isn't TOML, holds no commitment, or an entry lacks a key or has an
    unknown one.
    """
    try:
        tree = tomllib.loads(payload.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(f"{described(source)} is no TOML: {error}.", "Mend that line.") from None
    if not tree.get("commitment"):
        raise SourceError(f"{described(source)} holds no [[commitment]].", _MEND)
    parts = {"figure": FIGURE_KEYS, "forecast": FORECAST_KEYS}
    of_target = {"figure": FIGURE_KEYS, "published": PUBLISHED_KEYS}
    return {
        "commitments": _frame(tree, _Entry("commitment", KEYS, REQUIRED_KEYS, parts), source),
        "targets": _frame(
            tree,
            _Entry("target", TARGET_KEYS, REQUIRED_OF_TARGET, of_target),
            source,
        ),
    }


@dataclass(frozen=True)
class _Entry:
    """A kind of entry: its name, its keys, and its tables within, each with keys of its own."""

    name: str
    keys: Mapping[str, str]
    required: tuple[str, ...]
    parts: Mapping[str, Mapping[str, str]]


def _frame(tree: Mapping[str, object], kind: _Entry, source: SourceVersion) -> pl.DataFrame:
    listed = tree.get(kind.name, [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise SourceError(f"{described(source)} holds no [[{kind.name}]].", _MEND)
    rows = [_row(number, entry, kind, source) for number, entry in enumerate(listed, start=1)]
    names = [*kind.keys.values(), *(name for part in kind.parts.values() for name in part.values())]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))


def _row(
    number: int, entry: Mapping[str, object], kind: _Entry, source: SourceVersion
) -> dict[str, str]:
    what = f"{kind.name.capitalize()} {number}"
    where = f"{what} ({entry.get('id', 'without an id')!s}) of {described(source)}"
    missing = [key for key in kind.required if key not in entry]
    if missing:
        raise SourceError(f"{where} lacks {sample_text(missing, most=5)}.", _MEND)
    _refuse_unknown(where, entry, (*kind.keys, *kind.parts), "")
    told = {column: _text(entry[key]) for key, column in kind.keys.items() if key in entry}
    for name, keys in kind.parts.items():
        part = entry.get(name, {})
        if not isinstance(part, dict):
            raise SourceError(f"{where}: `{name}` is no table.", _MEND)
        _refuse_unknown(where, part, keys, f"{name}.")
        told |= {keys[key]: _text(value) for key, value in part.items()}
    return told


def _refuse_unknown(
    where: str, entry: Mapping[str, object], known: Mapping[str, str] | tuple[str, ...], path: str
) -> None:
    for key in entry:
        if key not in known:
            near = get_close_matches(key, list(known), n=1)
            hint = f"did you mean `{path}{near[0]}`?" if near else f"known: {', '.join(known)}"
            raise SourceError(f"{where} has the unknown key `{path}{key}` ({hint}).", _MEND)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        told = {column: _text(wanted) for column, wanted in value.items()}
        return json.dumps(told, ensure_ascii=False, sort_keys=True)
    return str(value).lower() if isinstance(value, bool) else str(value).strip()
