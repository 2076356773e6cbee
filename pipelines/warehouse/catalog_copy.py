"""A lake's catalog as one file: a copy of one moment, made while others write, and put back.

On SQLite that is SQLite's own online backup, on PostgreSQL a dump by `pg_dump`, put back by
`pg_restore` into an empty database, without the rights of its roles, which the preparation of the
servers gives. The programs come with PostgreSQL's client.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from pipelines.errors import BackupError
from pipelines.settings import child_environment

SQLITE_NAME = "catalog.sqlite"
DUMP_NAME = "catalog.dump"
MOST_WORDS = 500  # characters of what a program says


def copy_catalog(catalog: str, folder: Path, password: str = "") -> Path:
    """Copy a catalog into a folder; returns the file. Raises `BackupError`.

    Without a password PostgreSQL's programs look where libpq does.
    """
    if catalog.startswith("postgres:"):
        target = folder / DUMP_NAME
        options = ("--format=custom", f"--file={target}", _database(catalog))
        _run("pg_dump", *options, password=password)
        return target
    target = folder / SQLITE_NAME
    try:
        with (
            closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True, timeout=60)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise BackupError(
            f"The catalog {catalog} can't be copied: {error}.", "Check QALA_CATALOG and the disk."
        ) from None
    return target


def is_there(catalog: str, password: str = "") -> bool:
    """Whether there is a catalog already, or a database with any table. Raises `BackupError`."""
    if not catalog.startswith("postgres:"):
        return Path(catalog).exists()
    ours = "schemaname NOT IN ('pg_catalog', 'information_schema')"
    question = f"SELECT count(*) FROM pg_tables WHERE {ours}"  # noqa: S608  # our own words
    options = ("--no-psqlrc", "--tuples-only", "--no-align", f"--command={question}")
    return _run("psql", _database(catalog), *options, password=password).strip() != "0"


def put_back(file: Path, catalog: str, password: str = "") -> None:
    """Make a catalog from a copy, where none is. Raises `BackupError`."""
    is_dump = file.name == DUMP_NAME
    if is_dump != catalog.startswith("postgres:"):
        raise BackupError(
            f"The backup holds {file.name}, which is no catalog for {catalog.partition(':')[0]}.",
            "Set QALA_CATALOG to the kind of catalog that was backed up.",
        )
    if is_dump:
        options = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")
        _run("pg_restore", *options, _database(catalog), str(file), password=password)
        return
    target = Path(catalog)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA journal_mode = wal")


def _database(catalog: str) -> str:
    return f"--dbname={catalog.partition(':')[2]}"


def _run(program: str, *arguments: str, password: str) -> str:
    """What one of PostgreSQL's programs says."""
    path = shutil.which(program)
    if path is None:
        raise BackupError(f"{program} is not installed.", "Install postgresql-client.")
    told = {"PGPASSWORD": password} if password else {}
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own
        [path, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(told),
    )
    if done.returncode:
        raise BackupError(
            f"{program} failed: {done.stderr.strip()[:MOST_WORDS]}.",
            "Check QALA_CATALOG, the rights of its user, and that a database to restore is empty.",
        )
    return done.stdout
