"""The address of a figure: a mart, columns and rows, as a list of commitments names them.

An address that leads nowhere is an error of the list, found on the first night and not years later.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import polars as pl
import polars.selectors as cs

from pipelines.errors import ContractError, sample_text


@dataclass(frozen=True)
class Address:
    """Where a figure is: its table, its columns, and which rows count."""

    name: str  # of the commitment or target
    table: str
    columns: tuple[str, ...]  # of values: numbers, or days where it is a forecast
    where: Mapping[str, str]
    latest: str | None = None

    @classmethod
    def of(cls, commitment: Mapping[str, Any], part: str) -> Self | None:
        """The address of the `figure` or `forecast` of a commitment or target, where it has one."""
        table = commitment[f"{part}_table"]
        if not table:
            return None
        names = ("column", "share_column", "low_column", "high_column")
        columns = (commitment.get(f"{part}_{name}") for name in names)
        return cls(
            commitment.get("target_id", commitment["commitment_id"]),
            table,
            tuple(column for column in columns if column),
            json.loads(commitment[f"{part}_where_json"] or "{}"),
            commitment.get(f"{part}_latest_column"),
        )

    def row(
        self, tonight: Mapping[str, pl.DataFrame], until: date | None = None
    ) -> dict[str, Any] | None:
        """The row of the mart that measures the commitment; None where it has none tonight.

        Of several days (`latest`), the latest with a value, `until` a day where that is told.
        ContractError where table or column aren't there, or several rows are left.
        """
        self._refuse("the mart", [self.table], tonight)
        rows = tonight[self.table]
        values = rows.select(cs.numeric() | cs.date()).columns
        self._refuse(f"of {self.table} the value", self.columns, values)
        others = [*self.where, *([self.latest] if self.latest else [])]
        self._refuse(f"of {self.table} the column", others, rows.columns)
        conditions = (pl.col(name).cast(pl.String) == wanted for name, wanted in self.where.items())
        rows = rows.filter(pl.lit(True), *conditions)
        if self.latest:
            rows = rows.filter(pl.col(self.latest) <= until) if until else rows
            told = rows.filter(pl.col(self.columns[0]).is_not_null())
            rows = told if told.height else rows
            rows = rows.filter(pl.col(self.latest) == pl.col(self.latest).max())
        if rows.height > 1:
            raise ContractError(
                f"The commitment {self.name!r} is measured by {rows.height} rows of {self.table}.",
                "Name in its `where` what tells them apart.",
            )
        return rows.row(0, named=True) if rows.height else None

    def _refuse(self, what: str, named: Collection[str], known: Collection[str]) -> None:
        unknown = [word for word in named if word not in known]
        if unknown:
            raise ContractError(
                f"The commitment {self.name!r} names {what} {sample_text(unknown)},"
                " which there is not.",
                f"Name one of {', '.join(known)}.",
            )
