"""Once before anything else: databases with their roles, the bucket, Airflow's tables and pool.

    python -m scripts.cluster.prepare /run/secrets

- `airflow` owns the database of Airflow's metadata, and nothing else.
- `lake` owns the database of the lake's catalog, and nothing else; it is a `qala_writer`.
- `reader` is a `qala_reader`: it may read the catalog, now and in future, and change nothing.

What those may do is said by `sql/roles/`, which the catalog's owner runs here. Nobody else may
connect to either database. The servers' administrators are needed here alone. Running it again
changes nothing but passwords, which become those of the files, and the list of open tables.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # a class in small letters
from psycopg2.sql import SQL, Identifier, Literal
from pyarrow.fs import S3FileSystem

from pipelines.settings import ROOT, Settings, load_settings
from pipelines.tables import make_tables
from pipelines.warehouse.lake import open_lake
from scripts.cluster.secret_files import BUCKET

GROUPS = ("qala_writer", "qala_reader", "qala_analyst")
STATEMENTS = ("open_tables", "lake")  # of sql/roles, in order


def main(secrets: Path) -> None:
    """Prepare everything, by the secrets in a folder."""

    def secret(name: str) -> str:
        return (secrets / name).read_text(encoding="utf-8").strip()

    prepare_database(secret("metadata_admin_url"), "airflow", secret("metadata_password"))
    catalog = secret("catalog_admin_url")
    prepare_database(catalog, "lake", secret("lake_password"))
    make_bucket(secret("s3_admin_key"), secret("s3_admin_secret"))
    prepare_lake(load_settings(), catalog, secret("lake_password"), secret("reader_password"))
    keep_passwords(secret("airflow_passwords"))
    from dags.embedded import prepare_database as prepare_airflow

    prepare_airflow()


def prepare_database(admin_url: str, name: str, password: str) -> None:
    """A database of that name, owned by a role of that name, shut to everybody else."""
    with connected(admin_url, "postgres") as database:
        make_role(database, name, password)
        if not found(database, "SELECT 1 FROM pg_database WHERE datname = %s", name):
            run(database, "CREATE DATABASE {0} OWNER {0}", Identifier(name))
        run(database, "REVOKE ALL ON DATABASE {} FROM PUBLIC", Identifier(name))


def prepare_lake(settings: Settings, admin_url: str, password: str, reader_password: str) -> None:
    """The lake's tables, and who may do what with its catalog; `password` is its owner's."""
    with connected(admin_url, "postgres") as database:
        for name in GROUPS:
            make_group(database, name)
        make_role(database, "reader", reader_password)
        run(database, "GRANT qala_writer TO lake")
        run(database, "GRANT qala_reader TO reader")
        run(database, "ALTER ROLE reader SET default_transaction_read_only = on")
    with connected(admin_url, "lake") as database:
        run(database, "ALTER SCHEMA public OWNER TO lake")
    with open_lake(settings) as lake:
        make_tables(lake)
    with connected(admin_url, "lake", user="lake", password=password) as database:
        for name in STATEMENTS:
            with database.cursor() as cursor:
                cursor.execute((ROOT / "sql" / "roles" / f"{name}.sql").read_text("utf-8"))


def make_group(database: Connection, name: str) -> None:
    """A role that others are members of, where it is not there yet."""
    if not found(database, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
        run(database, "CREATE ROLE {}", Identifier(name))


def make_role(database: Connection, name: str, password: str) -> None:
    """A role that may log in, and nothing else."""
    make_group(database, name)
    run(
        database,
        "ALTER ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}",
        Identifier(name),
        Literal(password),
    )


def make_bucket(key: str, secret: str) -> None:
    """The bucket of the lake's objects, at AWS_ENDPOINT_URL."""
    parts = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    S3FileSystem(
        access_key=key,
        secret_key=secret,
        endpoint_override=parts.netloc,
        scheme=parts.scheme,
        region=os.environ.get("AWS_REGION", "us-east-1"),
        allow_bucket_creation=True,
    ).create_dir(BUCKET)


def keep_passwords(text: str) -> None:
    """Airflow wants to write to the file of its users' passwords; one that is there stays."""
    file = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
        file.write_text(text, encoding="utf-8")


@contextmanager
def connected(
    admin_url: str, database: str, *, user: str | None = None, password: str | None = None
) -> Iterator[Connection]:
    """A connection to one database, of the administrator unless another user is named; each
    statement counts at once."""
    parts = urlsplit(admin_url)
    connection = psycopg2.connect(
        host=parts.hostname,
        port=parts.port,
        user=user or parts.username,
        password=password or parts.password,
        dbname=database,
    )
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


def run(database: Connection, statement: str, *names: Identifier | Literal) -> None:
    """Run a statement with quoted names in it."""
    with database.cursor() as cursor:
        cursor.execute(SQL(statement).format(*names))


def found(database: Connection, question: str, name: str) -> bool:
    """Whether a question about a name has an answer."""
    with database.cursor() as cursor:
        cursor.execute(question, [name])
        return cursor.fetchone() is not None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
