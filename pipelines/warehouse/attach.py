"""DuckDB as the lake needs it: one instance a process, its catalog attached, its store opened.

The catalog is a SQLite file or PostgreSQL, objects lie in a folder or in S3: settings say which.
Passwords and keys are given to DuckDB as its own secrets, so that no address holds them.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from pipelines.contracts.ddl import quoted_text
from pipelines.errors import LakeError
from pipelines.settings import LakeAccess, Settings, threads
from pipelines.warehouse.extensions import CONFIG, load_extensions
from pipelines.warehouse.store import Store

INLINED_ROWS = 1_000  # smaller inserts are kept in the catalog: no file for a handful of rows
COMMIT_TRIES = 60
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 0.5
_LOCKED = ("database is locked", "conflict", "failed to commit", "could not set lock")
_REFUSED = ("permission denied", "read-only transaction")  # another try is refused as well
_BEING_MADE = ("already exists", "duplicate key")  # by another process, at the same time

# One DuckDB instance a process, keyed by process, since a forked child must not use its parent's.
_instances: dict[int, duckdb.DuckDBPyConnection] = {}
_catalogs: dict[tuple[int, str, str, bool], str] = {}
_names = count(1)


def is_locked(error: duckdb.Error) -> bool:
    """Whether another process was at the same rows or at the catalog: to be tried again."""
    told = str(error).lower()
    return any(word in told for word in _LOCKED) and not any(word in told for word in _REFUSED)


def wait(pause: float) -> float:
    """Wait, with jitter; the pause after this one."""
    time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # jitter, not a secret
    return min(2 * pause, LONGEST_PAUSE_SECONDS)


def instance() -> duckdb.DuckDBPyConnection:
    """This process' DuckDB."""
    pid = os.getpid()
    if pid not in _instances:
        connection = duckdb.connect(config=CONFIG)
        load_extensions(connection, ("ducklake", "sqlite_scanner"))
        connection.execute("SET enable_progress_bar = false")
        if (count_told := threads()) is not None:
            connection.execute(f"SET threads = {count_told}")
        # Else each look at a SQLite catalog opens it anew and parses its schema: twice the time.
        connection.execute("SET GLOBAL sqlite_disable_multithreaded_scans = true")
        _instances[pid] = connection
    return _instances[pid]


def let_go() -> None:
    """Close this process' DuckDB and all that is attached to it; the next look opens it anew.

    For who outlives a catalog: DuckDB looks at all that is attached, also when it is gone.
    """
    pid = os.getpid()
    for key in [key for key in _catalogs if key[0] == pid]:
        del _catalogs[key]
    if (connection := _instances.pop(pid, None)) is not None:
        connection.close()


def detach(settings: Settings) -> list[str]:
    """Let go of one lake that this process has attached; the names that it had."""
    pid = os.getpid()
    keys = [key for key in _catalogs if key[:2] == (pid, settings.catalog)]
    names = [_catalogs.pop(key) for key in keys]
    for name in names:
        _instances[pid].execute(f"DETACH {name}")
    return names


def attached(settings: Settings, *, read_only: bool) -> str:
    """The name under which the lake's catalog is attached to this process' DuckDB.

    Raises `LakeError` where it can't be reached.
    """
    key = (os.getpid(), settings.catalog, settings.objects, read_only)
    if key not in _catalogs:
        name = f"lake_{next(_names)}"
        _attach(instance(), name, settings, read_only=read_only)
        _catalogs[key] = name
    return _catalogs[key]


def _attach(
    connection: duckdb.DuckDBPyConnection, name: str, settings: Settings, *, read_only: bool
) -> None:
    catalog = f"sqlite:{settings.catalog}" if settings.is_on_one_machine else settings.catalog
    # The settings say where objects lie, not the catalog: a lake may be moved or restored.
    options = (
        f"DATA_PATH {quoted_text(settings.objects)}, OVERRIDE_DATA_PATH true,"
        f" DATA_INLINING_ROW_LIMIT {INLINED_ROWS}"
    )
    if read_only:
        options += ", READ_ONLY"
    if settings.is_on_one_machine:
        _prepare_file(Path(settings.catalog))
    else:
        options += _postgres_secret(connection, name, settings.access)
    if Store(settings.objects).is_remote:
        _keep_s3_secret(connection, name, settings)
    else:
        Path(settings.objects).mkdir(parents=True, exist_ok=True)
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, COMMIT_TRIES + 1):
        try:
            connection.execute(f"ATTACH {quoted_text('ducklake:' + catalog)} AS {name} ({options})")
        except duckdb.Error as error:
            is_passing = is_locked(error) or any(word in str(error).lower() for word in _BEING_MADE)
            if not is_passing or attempt == COMMIT_TRIES:
                raise LakeError(
                    f"The lake's catalog {settings.catalog} can't be opened: {error}",
                    "Check QALA_CATALOG, the disk, and that no other program holds the file.",
                ) from error
            pause = wait(pause)
        else:
            return


def _prepare_file(catalog: Path) -> None:
    """Make a new catalog's file, with a write-ahead log: who reads holds up no one who writes."""
    catalog.parent.mkdir(parents=True, exist_ok=True)
    if not catalog.exists():
        with closing(sqlite3.connect(catalog, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode = wal")


def _postgres_secret(connection: duckdb.DuckDBPyConnection, name: str, access: LakeAccess) -> str:
    """Make the catalog's password known; the option that names it. Without one libpq looks."""
    load_extensions(connection, ("postgres_scanner",))
    if not access.catalog_password:
        return ""
    secret = f"{name}_catalog"
    _make_secret(
        connection, secret, f"TYPE postgres, PASSWORD {quoted_text(access.catalog_password)}"
    )
    return f", METADATA_PARAMETERS MAP {{'SECRET': '{secret}'}}"


def _keep_s3_secret(connection: duckdb.DuckDBPyConnection, name: str, settings: Settings) -> None:
    load_extensions(connection, ("httpfs",))
    access = settings.access
    parts = urlsplit(access.endpoint)
    options = {
        "KEY_ID": access.key_id,
        "SECRET": access.secret_key,
        "REGION": access.region,
        "SCOPE": settings.objects,
        **({"ENDPOINT": parts.netloc, "URL_STYLE": "path"} if access.endpoint else {}),
    }
    texts = [f"{key} {quoted_text(value)}" for key, value in options.items() if value]
    if parts.scheme == "http":
        texts.append("USE_SSL false")
    _make_secret(connection, f"{name}_objects", ", ".join(["TYPE s3", *texts]))


def _make_secret(connection: duckdb.DuckDBPyConnection, name: str, options: str) -> None:
    """Keep a secret in memory; what DuckDB says of one that it does not take would show it."""
    try:
        connection.execute(f"CREATE OR REPLACE SECRET {name} ({options})")
    except duckdb.Error:
        raise LakeError(
            f"DuckDB does not take the secret {name}.",
            "Check QALA_CATALOG_PASSWORD and the AWS_... variables, or the files they name.",
        ) from None
