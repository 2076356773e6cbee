"""Schema versions: the committed file is fresh, and nothing that readers rely on goes unseen."""

from __future__ import annotations

import pytest

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.errors import ContractError
from pipelines.extract_schemas import PATH
from pipelines.extracts.schemas import (
    ExtractSchema,
    columns_out,
    next_schemas,
    read_schemas,
    schema_versions,
    write_schemas,
)

TABLE = flow.table("marts.main_streets")
COLUMNS = columns_out(load_contract(TABLE))


def test_the_committed_file_is_what_the_contracts_say() -> None:
    """When this fails, `make docs` writes the file again, if no reader's column has gone."""
    committed = PATH.read_text(encoding="utf-8")
    last = read_schemas(committed)
    assert write_schemas(next_schemas(last, flow.extracts())) == committed
    assert list(schema_versions()) == [table.name for table in flow.extracts()]


def next_version(last: dict[str, str], may_break: tuple[str, ...] = ()) -> str:
    schemas = {TABLE.name: ExtractSchema("2.3", last)}
    return next_schemas(schemas, [TABLE], may_break)[TABLE.name].version


def test_a_column_that_is_added_raises_the_minor_version() -> None:
    fewer = dict(list(COLUMNS.items())[:-1])
    assert next_version(COLUMNS) == "2.3"
    assert next_version(fewer) == "2.4"
    assert next_version(dict(reversed(COLUMNS.items()))) == "2.4"  # in another order
    assert next_schemas({}, [TABLE])[TABLE.name].version == "1.0"


@pytest.mark.parametrize(
    "last",
    [
        {**COLUMNS, "dropped_count": "BIGINT"},
        {f"{name}_before" if name == "mark" else name: kind for name, kind in COLUMNS.items()},
        {**COLUMNS, "mark": "BIGINT"},
    ],
    ids=["dropped", "renamed", "another type"],
)
def test_a_column_that_readers_miss_needs_the_major_version(last: dict[str, str]) -> None:
    with pytest.raises(ContractError, match=r"marts\.main_streets no longer has .*BIGINT|_before"):
        next_version(last)
    assert next_version(last, (TABLE.name,)) == "3.0"


def test_an_extract_that_goes_out_no_more_is_told() -> None:
    last = {"marts.gone": ExtractSchema("1.0", {"a": "DATE"})}
    with pytest.raises(ContractError, match=r"marts\.gone goes out no more"):
        next_schemas(last, [TABLE])
    assert "marts.gone" not in next_schemas(last, [TABLE], ["marts.gone"])
