"""The environment, read and checked in one place; the city file is `pipelines/city_file.py`.

Environment (all optional): `QALA_CITY` (path of the city file), `QALA_DATA` (folder for landing,
lake, publication and Airflow's homes), `QALA_CATALOG` (DuckLake catalog: a SQLite file's path, or
``postgres:...`` in production), `QALA_CATALOG_PASSWORD`, `QALA_OBJECTS` (the lake's Parquet files:
a folder or ``s3://...``) and for it `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_ENDPOINT_URL`, `AWS_REGION`, `QALA_WRITERS` (how many tasks may write to the lake at once),
`QALA_THREADS` (of DuckDB in each process),
`QALA_SECRET_<NAME>` (a key that the city file names as ``{secret:<name>}``), `QALA_SIGNING_KEY`
(the private key that signs extracts: PEM, base64, or a file that holds it), `NUMBA_CACHE_DIR`
(where compiled code is kept, else in the data folder).
For a password, a key or a secret, a variable with ``_FILE`` after its name may say which file holds
it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.access import (
    secret_variable,
)
from pipelines.city_file import City
from pipelines.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
WRITERS = 16  # tasks that write to a lake on PostgreSQL at once


@dataclass(frozen=True)
class LakeAccess:
    """What opens a lake that is in no folder. Empty: libpq's and AWS' own places are looked at."""

    catalog_password: str = field(default="", repr=False)
    key_id: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    endpoint: str = ""
    region: str = ""


@dataclass(frozen=True)
class Settings:
    """Where everything of one city lies."""

    city_file: Path
    data: Path
    catalog: str
    objects: str
    access: LakeAccess = LakeAccess()

    @property
    def is_on_one_machine(self) -> bool:
        """Whether the lake's catalog is a SQLite file, to which one process commits at a time."""
        return not self.catalog.startswith("postgres:")

    @property
    def landing(self) -> Path:
        """Raw bytes by SHA-256."""
        return self.data / "landing"

    @property
    def publish(self) -> Path:
        """What goes out: the published file, extracts, checks, status."""
        return self.data / "publish"

    def policy_file(self, city: City) -> Path | None:
        """The city's policy file, named from the city file; None where it has none."""
        return self.city_file.parent / city.city.policy if city.city.policy else None

    @property
    def trusted_keys(self) -> Path:
        """The public keys that the city's extracts are signed with."""
        return self.city_file.with_name(f"{self.city_file.stem}.trusted_keys.json")

    @property
    def airflow_home(self) -> Path:
        """Airflow's home for nights that the command line runs."""
        return self.data / "airflow"


def load_settings() -> Settings:
    """Read the environment. The data folder is `data/<city file's stem>` unless told otherwise."""
    city_file = Path(os.environ.get("QALA_CITY") or ROOT / "cities" / "almaty.toml").resolve()
    data = Path(os.environ.get("QALA_DATA") or ROOT / "data").resolve() / city_file.stem
    return Settings(
        city_file=city_file,
        data=data,
        catalog=os.environ.get("QALA_CATALOG") or str(data / "lake" / "catalog.sqlite"),
        objects=os.environ.get("QALA_OBJECTS") or str(data / "lake" / "objects"),
        access=LakeAccess(
            catalog_password=_told_or_kept("QALA_CATALOG_PASSWORD"),
            key_id=_told_or_kept("AWS_ACCESS_KEY_ID"),
            secret_key=_told_or_kept("AWS_SECRET_ACCESS_KEY"),
            endpoint=os.environ.get("AWS_ENDPOINT_URL", ""),
            region=os.environ.get("AWS_REGION", ""),
        ),
    )


def _told_or_kept(name: str) -> str:
    """A secret variable's value, or what the file holds that NAME_FILE names; empty without both.

    Raises `SettingsError` where the file can't be read.
    """
    told = os.environ.get(name, "")
    file = os.environ.get(f"{name}_FILE", "")
    if told or not file:
        return told.strip()
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{name}_FILE names {file}, which can't be read: {error}.",
            "Mend the path or its rights.",
        ) from None


def lake_writers(settings: Settings) -> int:
    """How many tasks may write to the lake at once: one where its catalog is a SQLite file.

    Raises `SettingsError` where QALA_WRITERS is no number.
    """
    return 1 if settings.is_on_one_machine else _number("QALA_WRITERS") or WRITERS


def threads() -> int | None:
    """Threads of DuckDB in each process; None: as many as it finds processors.

    Raises `SettingsError` where QALA_THREADS is no number.
    """
    return _number("QALA_THREADS")


def _number(name: str) -> int | None:
    told = os.environ.get(name)
    if not told:
        return None
    if not (told.isdecimal() and int(told) > 0):
        raise SettingsError(f"{name} is {told!r}.", "Set it to a number from 1, or unset it.")
    return int(told)


def load_secrets(names: Iterable[str], connections: Mapping[str, str]) -> dict[str, str]:
    """Secrets by name: from what connections say, else from the environment. Missing: left out."""
    found = {name: connections.get(name) or _told_or_kept(secret_variable(name)) for name in names}
    return {name: value.strip() for name, value in found.items() if value and value.strip()}


def load_signing_key() -> str:
    """The private key that signs extracts, from the environment or the file named there.

    Empty where there is none. A file that can't be read is taken for the key itself, which is then
    malformed: no night fails for it.
    """
    told = (os.environ.get("QALA_SIGNING_KEY") or "").strip()
    if not told or told.startswith("-----BEGIN"):
        return told
    try:
        return Path(told).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return told


def point_to_city(city_file: Path | None) -> None:
    """Let this process and those it starts use another city file; None changes nothing."""
    if city_file is not None:
        os.environ["QALA_CITY"] = str(city_file.resolve())


def keep_compiled_code(settings: Settings, code: str) -> None:
    """Let Numba keep what this process compiles in the data folder, unless NUMBA_CACHE_DIR is set.

    `code` is the hash of all that is compiled: by itself Numba looks at the file of a function and
    not at what it calls elsewhere, and so would run what was compiled from an older version.
    """
    os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.data / "compiled" / code))


def airflow_database(home: Path) -> str:
    """Address of the embedded database of Airflow; who finds it locked waits, for a minute."""
    return f"sqlite:///{home / 'airflow.db'}?timeout=60"


# Airflow's process beside a task, where it misses the moment in which the task ends, looks again
# only at its next heartbeat: after this second rather than the five of Airflow's own setting.
HEARTBEAT = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}


def child_environment(told: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is told something more than this one."""
    return {**os.environ, **told}


def airflow_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that runs Airflow on this city's DAGs, on embedded SQLite."""
    home = settings.airflow_home
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database(home),
        "QALA_CITY": str(settings.city_file),
        "QALA_DATA": str(settings.data.parent),
    }


def scheduler_home(settings: Settings) -> Path:
    """Airflow's home for the scheduler of `make airflow`."""
    home = os.environ.get("QALA_AIRFLOW_HOME") or settings.data / "airflow-server"
    return Path(home).resolve()


def scheduler_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that speaks to the scheduler of `make airflow`."""
    home = scheduler_home(settings)
    return {
        **airflow_environment(settings),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database(home),
    }


def replay_environment(settings: Settings, place: Path) -> dict[str, str]:
    """The environment of a process that replays a night of this city, with its data in a place of
    its own: an embedded lake there, whatever the city's own is."""
    own = {"QALA_CATALOG", "QALA_OBJECTS", "PYTHONPATH"}
    return {
        **{name: value for name, value in os.environ.items() if name not in own},
        "QALA_CITY": str(settings.city_file),
        "QALA_DATA": str(place),
    }
