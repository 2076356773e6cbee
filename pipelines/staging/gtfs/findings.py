"""What validation found, collected over files and parts: notices with counts and samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW, Found, Severity

SAMPLE_SIZE = 5


@dataclass(frozen=True)
class Notice:
    """One code in one file: how many findings, and the first few by row."""

    code: str
    severity: Severity
    file: str
    count: int
    sample: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able values: code, severity, file, count, sample of row, field, value."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "count": self.count,
            "sample": list(self.sample),
        }

    @property
    def sample_json(self) -> str:
        """The sample as JSON text."""
        return json.dumps(self.sample, ensure_ascii=False)


@dataclass
class Findings:
    """Findings as they come, reduced at once to a count and a sample for each code and file."""

    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _samples: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict)

    def add(self, code: str, found: Found) -> None:
        """Count what a rule found. KeyError for a code that the catalogue lacks."""
        if found.rows.is_empty():
            return
        key = (CODES[code].code, file_name(found.file))
        self._counts[key] = self._counts.get(key, 0) + found.rows.height
        rows = found.rows.select(*FOUND_SCHEMA)
        if key in self._samples:
            rows = pl.concat([self._samples[key], rows])
        self._samples[key] = rows.bottom_k(SAMPLE_SIZE, by=[ROW, "field_name", "value"]).sort(
            ROW, "field_name", "value", nulls_last=True
        )

    def codes(self) -> frozenset[str]:
        """Codes with findings."""
        return frozenset(code for code, _ in self._counts)

    def notices(self) -> Iterator[Notice]:
        """What was found, by code and file."""
        for code, file in sorted(self._counts):
            sample = self._samples[code, file].rename({ROW: "row", "field_name": "field"})
            yield Notice(
                code,
                CODES[code].severity,
                file,
                self._counts[code, file],
                tuple(sample.to_dicts()),
            )


def file_name(name: str) -> str:
    """A file's name as in the feed: ``stops`` is stops.txt, locations.geojson itself."""
    return name if "." in name else f"{name}.txt"
