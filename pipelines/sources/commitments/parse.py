"""Commitments: what was promised, one `[[commitment]]` of a TOML file each.

A commitment has an `id`, a `rank`, the `source` and its `sentence`, an `indicator` in our words,
and may have a target, a deadline, a baseline, and a `figure` that measures it (`FIGURE_KEYS`).
`cities/almaty.commitments.toml` shows every key but the baseline.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
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
        "where": "figure_where_json",
        "latest": "figure_latest_column",
        "scope": "figure_scope",
    }
)
_MEND = "Mend that commitment; cities/almaty.commitments.toml shows how one is written."


def parse_commitments(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame `commitments`: text columns, one row per commitment in the file's order.

    SourceError where the file isn't TOML, holds no commitment, or one lacks a key or has an
    unknown one.
    """
    try:
        tree = tomllib.loads(payload.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SourceError(f"{described(source)} is no TOML: {error}.", "Mend that line.") from None
    listed = tree.get("commitment")
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise SourceError(f"{described(source)} holds no [[commitment]].", _MEND)
    rows = [_row(number, entry, source) for number, entry in enumerate(listed, start=1)]
    names = [*KEYS.values(), *FIGURE_KEYS.values()]
    return {"commitments": pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String))}


def _row(number: int, entry: Mapping[str, object], source: SourceVersion) -> dict[str, str]:
    where = f"Commitment {number} ({entry.get('id', 'without an id')!s}) of {described(source)}"
    missing = [key for key in REQUIRED_KEYS if key not in entry]
    if missing:
        raise SourceError(f"{where} lacks {sample_text(missing, most=5)}.", _MEND)
    figure = entry.get("figure", {})
    if not isinstance(figure, dict):
        raise SourceError(f"{where}: `figure` is no table.", _MEND)
    _refuse_unknown(where, entry, (*KEYS, "figure"), "")
    _refuse_unknown(where, figure, FIGURE_KEYS, "figure.")
    told = {KEYS[key]: value for key, value in entry.items() if key != "figure"}
    told |= {FIGURE_KEYS[key]: value for key, value in figure.items()}
    return {column: _text(value) for column, value in told.items()}


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
