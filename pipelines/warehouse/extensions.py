"""DuckDB's extensions, loaded from the environment's own wheels: nothing is downloaded.

The locks hold the hash of every wheel, so what is loaded is what was locked. DuckDB's own check of
an extension's signature says no more and costs 0.25 s an extension and process; it is off.
"""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

import duckdb

from pipelines.errors import LakeError

EXTENSIONS = ("ducklake", "sqlite_scanner", "postgres_scanner", "spatial")


# Extensions are named by their path in the environment, and none is ever installed.
CONFIG: dict[str, str | bool | int | float | list[str]] = {"allow_unsigned_extensions": "true"}


def load_extensions(
    connection: duckdb.DuckDBPyConnection, names: tuple[str, ...] = EXTENSIONS
) -> None:
    """Load extensions into a connection, and forbid the download of others.

    Raises `LakeError` where an extension's wheel is missing or was made for another DuckDB.
    """
    connection.execute("SET autoinstall_known_extensions = false")
    for name in names:
        try:
            package = import_module(f"duckdb_extension_{name}")
            path = files(package) / "extensions" / f"v{duckdb.__version__}"
            connection.execute(f"LOAD '{path / f'{name}.duckdb_extension'}'")
        except (ImportError, duckdb.Error) as error:
            raise LakeError(
                f"DuckDB's extension {name} can't be loaded: {error}",
                f"Install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}.",
            ) from error


def try_extensions() -> None:
    """Load every extension once. Raises `LakeError` where one can't be loaded."""
    connection = duckdb.connect(config=CONFIG)
    try:
        load_extensions(connection)
    finally:
        connection.close()
