"""Contracts and their projections: DDL and comments, checks of the audit, the dictionary.

A contract is one dataframely schema above the function that makes the table. What is read off it
is read here and nowhere else: its grain, the unit of a column, the words a column takes, the
columns that tell of a single person.
"""

from __future__ import annotations

import inspect
from importlib import import_module

import dataframely as dy

from pipelines.flow import Table


def load_contract(table: Table) -> type[dy.Schema]:
    """The contract of a table of the flow, from the module that its row names.

    Raises `ImportError` or `AttributeError` where module or class is absent, and `TypeError` where
    the class is no contract: defects of the program, not of data.
    """
    contract = getattr(import_module(table.module_path), table.contract)
    if not (isinstance(contract, type) and issubclass(contract, dy.Schema)):
        raise TypeError(f"{table.module_path}.{table.contract} is not a dataframely schema")
    return contract


def grain(contract: type[dy.Schema]) -> str:
    """What one row is: the first line of the contract's own docstring ("One row per ...")."""
    own = inspect.cleandoc(contract.__dict__.get("__doc__") or "")
    return own.partition("\n")[0].strip()


def unit(column: dy.Column) -> str | None:
    """Unit of a column (``m``, ``seconds``), None where it has none."""
    found = (column.metadata or {}).get("unit")
    return None if found is None else str(found)


def allowed_words(column: dy.Column) -> tuple[str, ...]:
    """The words that a text column takes, in the contract's order; empty where any will do."""
    return tuple(str(word) for word in (column.metadata or {}).get("allowed", ()))


def personal_columns(contract: type[dy.Schema]) -> frozenset[str]:
    """The columns that tell of a single person; no quarantine, sample or message shows them."""
    return frozenset(
        name
        for name, column in contract.columns().items()
        if (column.metadata or {}).get("personal")
    )
