"""What a row contract can't say: volume, freshness, distribution, totals between tables.

One file per table, `expectations/<table>.toml`, with one `[[expect]]` for each thing expected:

    [[expect]]
    name = "no orphans"                     # unique in the table
    description = "Every trip has a route." # what must hold, in one sentence
    severity = "critical"                   # or "warning"
    if_sources = ["gtfs"]                   # optional: only where the city has these source kinds
    sql = "SELECT ... FROM checked ..."     # the rows that it returns are failures

`checked` is the file's own table, other tables go by their names (`staging.routes`): each holds
the rows that govern the night. `{service_date}` in the SQL is the night's date. In place of `sql`,
`expectation` names a class of Great Expectations that looks at a whole table or column, and
`kwargs` its arguments. An expectation whose source kinds the city lacks, or whose SQL looks at a
table that the city's figures don't make, is left out of the audit.
`include = "<name>"` at the top of a file puts the expectations of another file before its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pipelines.errors import SettingsError
from pipelines.flow import SOURCE_KINDS, TABLES

# Those that look at whole tables and columns. Row by row is for contracts or SQL, which give a
# sample; regular expressions and LIKE don't work over DuckDB at all.
WHOLE_TABLE = (
    "ExpectColumnDistinctValuesToBeInSet",
    "ExpectColumnDistinctValuesToContainSet",
    "ExpectColumnDistinctValuesToEqualSet",
    "ExpectColumnMaxToBeBetween",
    "ExpectColumnMeanToBeBetween",
    "ExpectColumnMedianToBeBetween",
    "ExpectColumnMinToBeBetween",
    "ExpectColumnProportionOfNonNullValuesToBeBetween",
    "ExpectColumnProportionOfUniqueValuesToBeBetween",
    "ExpectColumnStdevToBeBetween",
    "ExpectColumnSumToBeBetween",
    "ExpectColumnUniqueValueCountToBeBetween",
    "ExpectTableRowCountToBeBetween",
    "ExpectTableRowCountToEqual",
)
_TABLE_NAMES = frozenset(table.name for table in TABLES)
_ADDRESS = re.compile(r"\b[a-z_]+\.[a-z_]+\b")
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Expectation(BaseModel):
    """One thing expected of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: _Text
    description: _Text
    severity: Literal["critical", "warning"]
    if_sources: list[str] = []
    sql: _Text | None = None
    expectation: _Text | None = None
    kwargs: dict[str, Any] = {}

    @model_validator(mode="after")
    def _either_or(self) -> Self:
        if (self.sql is None) == (self.expectation is None):
            raise ValueError("give one of 'sql' and 'expectation'")
        if self.expectation is not None and self.expectation not in WHOLE_TABLE:
            raise ValueError(
                f"'{self.expectation}' is not one of {', '.join(WHOLE_TABLE)};"
                " single rows are for the contract or for 'sql'"
            )
        if self.kwargs and self.expectation is None:
            raise ValueError("'kwargs' belong to 'expectation'")
        unknown = sorted(set(self.if_sources) - {kind.name for kind in SOURCE_KINDS})
        if unknown:
            raise ValueError(f"unknown source kinds in 'if_sources': {', '.join(unknown)}")
        return self

    @property
    def tables(self) -> frozenset[str]:
        """The other tables that its SQL looks at."""
        return _TABLE_NAMES.intersection(_ADDRESS.findall(self.sql or ""))

    def applies(self, source_kinds: frozenset[str], made: Collection[str]) -> bool:
        """Whether a city has all it looks at: source kinds with a good version, and tables made."""
        return source_kinds.issuperset(self.if_sources) and self.tables.issubset(made)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    include: _Text | None = None
    expect: list[Expectation] = Field(min_length=1)


def expectations_file(folder: Path, table_name: str) -> Path:
    """Where the expectations of a table are written."""
    return folder / f"{table_name}.toml"


def load_expectations(folder: Path, table_name: str) -> tuple[Expectation, ...]:
    """The expectations of a table. `SettingsError` names the file, the place and the fault."""
    path = expectations_file(folder, table_name)
    file = _read(path)
    included = _read(expectations_file(folder, file.include)).expect if file.include else []
    found = (*included, *file.expect)
    names = [expectation.name for expectation in found]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SettingsError(
            f"{path} is wrong: names occur twice: {', '.join(repeated)}.",
            "Name each expectation of a table differently.",
        )
    return found


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise SettingsError(
            f"There is no {path}, the expectations of a table.", "Write it: each table has a file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read as TOML: {error}.", "Mend the file.") from None
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors())
        known = ", ".join(Expectation.model_fields)
        raise SettingsError(
            f"{path} is wrong: {faults}.", f"The keys of an [[expect]] are {known}."
        ) from None


def _fault(place: tuple[int | str, ...], message: str) -> str:
    where = ""
    for part in place:
        where += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return f"{where.lstrip('.') or 'the file'}: {message.removeprefix('Value error, ')}"
