"""One night without a scheduler: the same DAG files, run to their end in this process.

    python dags/embedded.py --date 2026-11-20

runs `nightly` and then `deliver` for one service date by Airflow's own `dag.test()`, on a SQLite
database of its own in ``AIRFLOW_HOME`` (never on a live one: `dag.test()` replaces runs). Tasks
run one by one. Nothing is tried twice, since somebody is looking on: a night that is started again
repeats only what changed. Each task says one line when it ends; Airflow's log goes to a file.

Of several dates, one night after the other is run in this one process, since starting Airflow takes
longer than a night of few figures. Each says one line, and one that fails holds up none of those
after it.

Exit code 0: published and delivered. 1: the night failed, the reasons are printed. 2: it could not
start. 128 and the signal's number: stopped.

Left out: waiting for the schedule hour or for a source to answer, pools, deadlines.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO
from unittest.mock import patch

if TYPE_CHECKING:
    from airflow.sdk import DAG

HERE = Path(__file__).resolve().parent
NIGHT_FAILED = 1
CANNOT_RUN = 2
ERROR_WIDTH = 300  # characters of an unexpected error that are shown; the log has all of it


class NightFailedError(Exception):
    """The night did not end as it should; the arguments are the reasons, one sentence each."""


class CannotRunError(Exception):
    """Nothing was run, and the reason."""


def main() -> int:
    """Run one night; the exit code is as the module says."""
    parser = argparse.ArgumentParser(prog="embedded.py", description="Run one night in-process.")
    parser.add_argument(
        "--date", required=True, nargs="+", help="service dates in order, e.g. 2026-11-20"
    )
    keys = parser.parse_args().date
    home = prepare_environment()
    log_file = home / "logs" / f"night-{keys[0].replace('/', '-')}.log"
    terminal = divert_output(log_file)
    stop_on_signals(terminal, log_file)
    try:
        run_nights(keys, terminal)
    except NightFailedError as failure:
        code, reasons = NIGHT_FAILED, failure.args
    except CannotRunError as failure:
        code, reasons = CANNOT_RUN, failure.args
    except Exception as error:  # noqa: BLE001  # the program's edge: the log gets the traceback
        sys.excepthook(type(error), error, error.__traceback__)
        code, reasons = CANNOT_RUN, (sentence(error),)
    else:
        return 0
    terminal.writelines(f"{line}\n" for line in (*reasons, f"The log is {log_file}"))
    return code


def prepare_environment() -> Path:
    """Point Airflow at a home, a database and DAG files of its own; before it is imported."""
    home = Path(os.environ.get("AIRFLOW_HOME") or HERE.parent / "data" / "airflow").resolve()
    home.mkdir(parents=True, exist_ok=True)
    os.environ.pop("AIRFLOW_CONFIG", None)  # a live installation's, if any
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=60",
        }
    )
    return home


def divert_output(log_file: Path) -> TextIO:
    """Send all that this process writes to the log file; what is returned is the terminal."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8", errors="replace")
    with log_file.open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return terminal


def stop_on_signals(terminal: TextIO, log_file: Path) -> None:
    """End at once when told to: a task would take the exception for a failure of its own."""

    def stop(number: int, _frame: object) -> None:
        terminal.write(f"Stopped; what was published stays. The log is {log_file}\n")
        terminal.flush()
        os._exit(128 + number)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def run_nights(keys: list[str], terminal: TextIO) -> None:
    """Run `nightly`, then `deliver`, for each date. Raises `CannotRunError` or `NightFailedError`.

    Of several nights that failed, the error has the reasons of all.
    """
    from pipelines import run
    from pipelines.errors import QalaError

    try:
        keys = [run.service_date(key) for key in keys]
        run.schedule()
    except QalaError as error:
        raise CannotRunError(str(error)) from None
    prepare_database()
    forget_old_clients()
    share_client()
    sync_dags_once()
    dags = read_dags()
    progress = Progress(terminal, sum(count_tasks(dag) for dag in dags))
    listen(progress)
    if len(keys) == 1:
        run_night(dags, keys[0], progress)
        return
    progress.is_brief = True
    reasons: list[str] = []
    for number, key in enumerate(keys, start=1):
        started = time.monotonic()
        try:
            run_night(dags, key, progress)
            outcome = "published"
        except NightFailedError as failure:
            outcome = "failed"
            reasons.extend(f"{key}: {reason}" for reason in failure.args)
        seconds = time.monotonic() - started
        place = f"[{number:>{len(str(len(keys)))}}/{len(keys)}]"
        terminal.write(f"{place} {key} {outcome:<9}{seconds:>7.1f} s\n")
    if reasons:
        raise NightFailedError(*reasons)


def run_night(dags: list[DAG], key: str, progress: Progress) -> None:
    """Run the DAGs of one night. Raises `CannotRunError` or `NightFailedError`."""
    progress.begin()
    for dag in dags:
        run_dag(dag, key, progress)


def prepare_database() -> None:
    """Create or migrate Airflow's database where that is due, and the lake writer's pool.

    A pool that is there keeps its slots.
    """
    from airflow.models.pool import Pool

    from dags.steps import WRITER_POOL
    from pipelines import run

    migrate()
    if Pool.get_pool(WRITER_POOL) is None:
        Pool.create_or_update_pool(
            WRITER_POOL,
            slots=run.lake_writers(),
            description="Writers of the lake",
            include_deferred=False,
        )


def migrate() -> None:
    """Create or migrate the database where that is due.

    To ask costs two seconds. A database in a file knows which version of Airflow was the last to
    look: its number for users says so.
    """
    from airflow import __version__, settings
    from airflow.utils import db
    from sqlalchemy import text

    engine = settings.get_engine()  # type: ignore[no-untyped-call]  # Airflow's
    mark = zlib.crc32(__version__.encode()) & 0x7FFFFFFF
    is_file = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if is_file and connection.scalar(text("PRAGMA user_version")) == mark:
            return
    try:
        db.check_migrations(0)  # type: ignore[no-untyped-call]  # Airflow's
    except TimeoutError:
        db.initdb()
    if is_file:
        with engine.begin() as connection:
            connection.execute(text(f"PRAGMA user_version = {mark}"))


def forget_old_clients() -> None:
    """Spare Airflow's in-process API the routes for workers that are older than itself.

    It makes them for nine versions, of which this process speaks the newest: five seconds of every
    night. The third is kept as the oldest, since the second brings back a route that it must.
    """
    from airflow.api_fastapi.execution_api.versions import bundle

    bundle.versions = bundle.versions[:3]
    bundle.versions[-1].changes = ()


def share_client() -> None:
    """Have the tasks of a DAG share one client of Airflow's in-process API.

    It makes one for each task, and with each reads the DAG from the database again. What mapped
    tasks were given is not sent to it: nobody looks it up, and each costs a request.
    """
    from airflow.sdk.api.client import TaskInstanceOperations
    from airflow.sdk.execution_time.comms import OKResponse
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

    spared: Any = TaskInstanceOperations
    spared.set_rtif = spared.set_rendered_map_index = lambda *_: OKResponse(ok=True)
    make: Any = InProcessTestSupervisor._api_client  # nothing public makes it
    clients: dict[str, Any] = {}

    def shared(dag: DAG | None = None) -> Any:
        name = dag.dag_id if dag else ""
        if name not in clients:
            clients[name] = make(dag)
        return clients[name]

    InProcessTestSupervisor._api_client = staticmethod(shared)  # type: ignore[method-assign]  # as above


def sync_dags_once() -> None:
    """Have the DAG files read again and written to the database once a process, not once a run."""
    from airflow.dag_processing import dagbag

    dagbag.BundleDagBag = cache(dagbag.BundleDagBag)  # type: ignore[misc,assignment]  # a class
    dagbag.sync_bag_to_db = cache(dagbag.sync_bag_to_db)  # type: ignore[assignment]  # same arguments


def read_dags() -> list[DAG]:
    """The two DAGs of the night from their files, without what needs a scheduler."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(HERE)
    if bag.import_errors:
        lasts = [str(text).strip().splitlines()[-1] for text in bag.import_errors.values()]
        raise CannotRunError(*(f"A DAG file can't be read: {last}" for last in lasts))
    dags = [bag.dags["nightly"], bag.dags["deliver"]]
    for dag in dags:
        dag.deadline = None
        for task in dag.tasks:
            task.retries = 0
            spare_bookkeeping(task)
    return dags


def spare_bookkeeping(task: Any) -> None:
    """Have a task render nothing that nobody looks up, and keep no report that no task reads.

    Each costs a request to Airflow's in-process API, which costs more than an unchanged step. What
    a mapped task is given, and what it is mapped over, stays.
    """
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    if isinstance(task, MappedOperator):
        return
    if hasattr(task, "op_args"):
        task.template_fields = ()
        task.do_xcom_push = False


def count_tasks(dag: DAG) -> int:
    """How many task instances will run: a mapped task has one for each source of its group, or
    for each share of a table's partitions."""
    from airflow.sdk.definitions.mappedoperator import MappedOperator

    from pipelines import run

    def count(task: object) -> int:
        if not isinstance(task, MappedOperator):
            return 1
        group = task.task_id.partition(".")[0].removeprefix("ingest_")
        return len(sources[group]) if group in sources else schedule.day_tasks

    schedule = run.schedule()
    sources = schedule.sources
    return sum(count(task) for task in dag.tasks)


def run_dag(dag: DAG, key: str, progress: Progress) -> None:
    """Run one DAG for the service date. Raises `NightFailedError` unless all of it succeeded."""
    import pendulum

    day = pendulum.Date.fromisoformat(key)
    midnight = pendulum.datetime(day.year, day.month, day.day, tz=dag.timezone)
    if dag.start_date and midnight < dag.start_date:
        first = pendulum.instance(dag.start_date).in_timezone(dag.timezone).date()
        raise CannotRunError(f"No night before {first} can be run; {key} was asked for.")
    with partition_key(key):
        dag_run = dag.test(logical_date=midnight)
    if dag_run.partition_key != key:
        raise NightFailedError(f"{dag.dag_id} ran without its service date {key}.")
    if dag_run.state != "success":
        raise NightFailedError(*(progress.reasons() or [f"{dag.dag_id} ended {dag_run.state}."]))
    if dag.dag_id not in progress.ended:
        raise NightFailedError(f"{dag.dag_id} ended without having run one task.")


@contextmanager
def partition_key(key: str) -> Iterator[None]:
    """Give the run that `dag.test()` creates its partition key, which `test` has no argument for.

    Stands on an internal of the pinned Airflow; `run_dag` and a test make sure that it holds.
    """
    from airflow.serialization.definitions.dag import SerializedDAG

    create = SerializedDAG.create_dagrun

    def create_with_key(dag: SerializedDAG, **arguments: Any) -> Any:
        return create(dag, **{**arguments, "partition_key": key})

    with patch.object(SerializedDAG, "create_dagrun", create_with_key):
        yield


class Progress:
    """Says one line for each task instance as it ends, and keeps the reasons of failures."""

    def __init__(self, terminal: TextIO, total: int) -> None:
        self.terminal = terminal
        self.total = total
        self.is_brief = False  # then nothing is said of tasks
        self.begin()

    def begin(self) -> None:
        """Know of no task yet."""
        self.ended: dict[str, int] = {}
        self.failures: list[str] = []
        self.started = time.monotonic()

    def say(self, instance: Any, outcome: str, rows: int | None = None) -> None:
        """One line: number, task and source, outcome, seconds, rows."""
        self.ended[instance.dag_id] = self.ended.get(instance.dag_id, 0) + 1
        if self.is_brief:
            return
        number = f"[{sum(self.ended.values()):>{len(str(self.total))}}/{self.total}]"
        name = " ".join(filter(None, (instance.task_id, instance.rendered_map_index)))
        seconds = time.monotonic() - self.started
        counted = "" if rows is None else f"{rows:>11,} rows"
        self.terminal.write(f"{number} {name:<44} {outcome:<9}{seconds:>7.1f} s{counted}\n")

    def reasons(self) -> list[str]:
        """What went wrong, each once: closing a night repeats what its steps have said."""
        return [
            failure
            for index, failure in enumerate(self.failures)
            if not any(failure in later for later in self.failures[index + 1 :])
        ]


def listen(progress: Progress) -> None:
    """Have Airflow tell of each task instance's start and end."""
    from airflow.listeners import hookimpl
    from airflow.sdk.listener import get_listener_manager

    from dags.steps import REPORTED

    class Listener:
        @hookimpl
        def on_task_instance_running(self) -> None:
            progress.started = time.monotonic()

        @hookimpl
        def on_task_instance_success(self, task_instance: Any) -> None:
            if REPORTED:
                report = REPORTED.pop()
                progress.say(task_instance, report["outcome"], report["rows"])
            else:
                progress.say(task_instance, "done")

        @hookimpl
        def on_task_instance_failed(self, task_instance: Any, error: BaseException) -> None:
            progress.say(task_instance, "failed")
            progress.failures.append(sentence(error))

    get_listener_manager().add_listener(Listener())  # type: ignore[no-untyped-call]  # Airflow's


def sentence(error: BaseException) -> str:
    """What to say of an error: our own sentence as it is, a defect with its kind."""
    from airflow.sdk.exceptions import AirflowFailException

    from pipelines.errors import QalaError

    if isinstance(error, (QalaError, AirflowFailException)):
        return str(error)
    return f"Unexpected {type(error).__name__}: {error}"[:ERROR_WIDTH]


if __name__ == "__main__":
    sys.exit(main())
