"""Schema versions of the extracts: what a reader's program may rely on.

`schemas.toml` lists each extract's version, columns and types as they go out. A column that is
added raises the minor number. One that is dropped, renamed or given another type breaks readers: it
raises the major number, and a person has to ask for it
(`python -m pipelines.extract_schemas --break TABLE`). A test holds the file against the contracts,
so that nothing changes unseen.

Left out: what values mean, of which the definition version tells.
"""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import dataframely as dy

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.ddl import sql_type
from pipelines.errors import ContractError

FILE = "schemas.toml"
FIRST = "1.0"
HEAD = """\
# Each extract's schema version, columns and types. Written by `make docs`; docs/extracts.md.
"""


@dataclass(frozen=True)
class ExtractSchema:
    """An extract's version, and its columns with their types in order."""

    version: str
    columns: Mapping[str, str]


def read_schemas(text: str) -> dict[str, ExtractSchema]:
    """The schemas in the text of `schemas.toml`, by table."""
    return {
        f"{room}.{name}": ExtractSchema(told["version"], told["columns"])
        for room, tables in tomllib.loads(text).items()
        for name, told in tables.items()
    }


def write_schemas(schemas: Mapping[str, ExtractSchema]) -> str:
    """The text of `schemas.toml`."""
    tables = []
    for name, schema in schemas.items():
        columns = "".join(f'{column} = "{kind}"\n' for column, kind in schema.columns.items())
        tables.append(f'[{name}]\nversion = "{schema.version}"\n[{name}.columns]\n{columns}')
    return "\n".join([HEAD, *tables])


@cache
def schema_versions() -> dict[str, str]:
    """The committed schema version of each extract."""
    text = (pkgutil.get_data(__package__, FILE) or b"").decode()
    return {name: schema.version for name, schema in read_schemas(text).items()}


def columns_out(contract: type[dy.Schema]) -> dict[str, str]:
    """The columns of an extract and their types in DuckDB."""
    return {name: sql_type(column) for name, column in contract.columns().items()}


def next_schemas(
    last: Mapping[str, ExtractSchema],
    tables: Iterable[flow.Table],
    may_break: Collection[str] = (),
) -> dict[str, ExtractSchema]:
    """The schemas of the extracts as they are now, each with its next version where it changed.

    Raises `ContractError` where a column was dropped, renamed or given another type, or an extract
    goes out no more, and the table is not among those that `may_break`.
    """
    now = {
        table.name: _next_schema(
            table.name, last.get(table.name), columns_out(load_contract(table)), may_break
        )
        for table in tables
    }
    if gone := sorted(last.keys() - now.keys() - set(may_break)):
        raise _breaks(gone[0], "goes out no more")
    return now


def _next_schema(
    name: str,
    last: ExtractSchema | None,
    columns: Mapping[str, str],
    may_break: Collection[str],
) -> ExtractSchema:
    if last is None:
        return ExtractSchema(FIRST, columns)
    broken = [f"{c} {kind}" for c, kind in last.columns.items() if columns.get(c) != kind]
    if broken and name not in may_break:
        raise _breaks(name, f"no longer has {', '.join(broken)}")
    major, minor = map(int, last.version.split("."))
    if broken:
        return ExtractSchema(f"{major + 1}.0", columns)
    is_same = list(last.columns) == list(columns)
    return ExtractSchema(f"{major}.{minor + (not is_same)}", columns)


def _breaks(name: str, how: str) -> ContractError:
    return ContractError(
        f"The extract {name} {how}: readers would break.",
        f"Mend it, or let it: python -m pipelines.extract_schemas --break {name}",
    )
