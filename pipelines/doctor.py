"""`qala doctor`: what a night needs, looked at one by one, each finding with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from zoneinfo import ZoneInfo

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.access import secret_names, secret_variable
from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.findings import Finding
from pipelines.settings import Settings, load_secrets

LEAST_FREE_GIGABYTES = 5.0  # a sample night leaves about 0.5 GB, a year of nights some GB


def print_health(console: Console, settings: Settings, *, deep: bool = False) -> int:
    """Look at everything, print it, and return how many things want a remedy.

    A `deep` look reads what stands in lake, landing and publication itself.
    """
    table = Table(title="qala doctor", title_justify="left")
    for column in ("", "looked at", "found", "remedy"):
        table.add_column(column, overflow="fold")
    findings = [finding for look in LOOKS for finding in _look(look, settings)]
    if deep and lake_is_there(settings):
        from pipelines.deep_look import look_deep

        findings += look_deep(settings)
    for finding in findings:
        mark = "ok" if finding.is_well else "[bold red]!![/]"
        table.add_row(mark, finding.subject, finding.found, finding.remedy)
    console.print(table)
    return sum(not finding.is_well for finding in findings)


def _look(look: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """What a look finds; an error of ours is a finding with its own remedy."""
    try:
        yield from look(settings)
    except QalaError as error:
        subject = (look.__doc__ or look.__name__).strip(".").lower()
        yield Finding(subject, error.what, error.remedy or "see above")


def look_at_versions(_: Settings) -> Iterator[Finding]:
    """Versions."""
    yield Finding("Python", platform.python_version())
    for text in requires("qala") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield Finding(wanted.name, "not installed", "Run make nightly: it installs the lock.")
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            remedy = f"Qala needs {wanted.specifier}: run make clean nightly."
            yield Finding(wanted.name, found, remedy)
        elif wanted.name in ("apache-airflow", "duckdb", "polars", "great-expectations"):
            yield Finding(wanted.name, found)


def look_at_extensions(_: Settings) -> Iterator[Finding]:
    """DuckDB's extensions."""
    from pipelines.warehouse.extensions import EXTENSIONS, try_extensions

    try_extensions()
    yield Finding("DuckDB's extensions", ", ".join(EXTENSIONS))


def look_at_disk(settings: Settings) -> Iterator[Finding]:
    """Disk."""
    place = settings.data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    few = free < LEAST_FREE_GIGABYTES
    yield Finding(
        "free disk",
        f"{free:.1f} GB at {place}",
        f"Free some, or set QALA_DATA elsewhere: {LEAST_FREE_GIGABYTES:.0f} GB are wanted."
        if few
        else "",
    )
    writable = os.access(place, os.W_OK)
    yield Finding(
        "data folder",
        str(settings.data),
        "" if writable else f"{place} can't be written: change its rights or set QALA_DATA.",
    )


def look_at_city(settings: Settings) -> Iterator[Finding]:
    """City file."""
    city = load_city(settings.city_file)
    yield Finding(
        "city file", f"{settings.city_file}: {city.city.name}, {len(city.sources)} sources"
    )


def look_at_policy(settings: Settings) -> Iterator[Finding]:
    """Policy file."""
    from pipelines.policy import load_policy

    city = load_city(settings.city_file)
    path = settings.policy_file(city)
    policy = load_policy(path, city.feeds())
    if path is None:
        yield Finding("policy file", "none: severities are the validator's own")
        return
    yield Finding("policy file", f"{path}: {len(policy.rules)} rules")
    for sentence in policy.expired(datetime.now(ZoneInfo(city.city.time_zone)).date()):
        yield Finding("policy", sentence, "Renew it with a reason, or remove it.")


def look_at_secrets(settings: Settings) -> Iterator[Finding]:
    """Secrets."""
    from pipelines.sources.traffic.hashing import check_key

    sources = load_city(settings.city_file).sources.values()
    wanted = sorted({name for source in sources for name in source.secret_names})
    found = load_secrets(wanted, {})
    for name in wanted:
        here = f"in {secret_variable(name)}"
        elsewhere = f"not {here}: an Airflow connection {name!r} must hold it"
        yield Finding(f"secret {name}", here if name in found else elsewhere)
    for source in sources:
        for name in secret_names(source.plates.key) if source.plates else []:
            if name in found:
                check_key(found[name], name)


def look_at_signing(settings: Settings) -> Iterator[Finding]:
    """Signing key."""
    from pipelines.signing import MALFORMED
    from pipelines.trusted_keys import load_signer, read_trusted_keys

    trusted = read_trusted_keys(settings.trusted_keys)
    signer = load_signer(settings)
    if signer.public is None:
        is_wrong = bool(trusted.keys) or signer.reason == MALFORMED
        remedy = "Set QALA_SIGNING_KEY: qala keys new makes a key." if is_wrong else ""
        yield Finding("signing key", f"extracts go out unsigned: {signer.reason}", remedy)
        return
    is_known = trusted.find(signer.public.key_id) is not None
    remedy = f"Put its public half into {settings.trusted_keys}: {signer.public.text}"
    yield Finding("signing key", signer.text, "" if is_known else remedy)


def look_at_quarantine(settings: Settings) -> Iterator[Finding]:
    """Quarantined feeds."""
    from pipelines.release import waiting
    from pipelines.warehouse.lake import open_lake

    if not lake_is_there(settings):
        return
    with open_lake(settings, read_only=True) as lake:
        held = waiting(lake)
    for item in held:
        found = escape(f"{item.reason} Since the night of {item.first_night_date}.")
        name = f"{item.source_id} {item.short_id}"
        yield Finding("feed held back", found, f"qala release {name}, or qala reject {name}.")
    if not held:
        yield Finding("feeds held back", "none waits for a decision")


def look_at_airflow(settings: Settings) -> Iterator[Finding]:
    """Airflow's database."""
    path = settings.airflow_home / "airflow.db"
    if not path.is_file():
        yield Finding("Airflow's database", "none yet: the first night makes it")
        return
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            (count,) = connection.execute("SELECT count(*) FROM dag_run").fetchone()
        yield Finding("Airflow's database", f"{path}: {count} runs")
    except sqlite3.Error as error:
        remedy = f"Move {path} away: the next night makes a new one, the lake is not touched."
        yield Finding("Airflow's database", str(error), remedy)


def look_at_lake(settings: Settings) -> Iterator[Finding]:
    """Lake."""
    from pipelines.warehouse import ops
    from pipelines.warehouse.lake import open_lake

    if not lake_is_there(settings):
        yield Finding("lake", "none yet: the first night makes it")
        return
    with open_lake(settings, read_only=True) as lake:
        nights = lake.read("ops.publications", ops.Publications)
    latest = nights.get_column("service_date").max()
    yield Finding("lake", f"{nights.height} nights published, the latest {latest!s}")


def lake_is_there(settings: Settings) -> bool:
    """Whether there is a lake to look at; one on PostgreSQL is taken to be there."""
    return not settings.catalog.endswith(".sqlite") or Path(settings.catalog).exists()


LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    look_at_versions,
    look_at_extensions,
    look_at_disk,
    look_at_city,
    look_at_policy,
    look_at_secrets,
    look_at_signing,
    look_at_airflow,
    look_at_lake,
    look_at_quarantine,
)
