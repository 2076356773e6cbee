"""The days of toy feeds as a table: each once, with the reason where no version governs."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.marts.governing_versions import NO_VERSION, GoverningVersions
from pipelines.marts.governing_versions import compute_governing_versions as compute
from pipelines.staging.gtfs.governing import FetchedVersions
from tests.marts.two_versions import iso, version
from tests.toy_feeds import FILES, night_of

NEXT_YEAR = FILES["calendar"].replace("2026", "2027")
DATES = "service_id,date,exception_type\n"
VERSIONS = pl.concat(
    [
        version("a")["feed_versions"],
        version("b", calendar=NEXT_YEAR, calendar_dates=DATES)["feed_versions"],
    ]
)


def fetched(*runs: tuple[str, str, str]) -> dy.DataFrame[FetchedVersions]:
    """Runs of fetches of the toy feed: version, first night, last night."""
    rows = [("toy", n, v, iso(first), iso(last)) for n, (v, first, last) in enumerate(runs, 1)]
    schema = {name: column.dtype for name, column in FetchedVersions.columns().items()}
    return FetchedVersions.validate(pl.DataFrame(rows, schema=schema, orient="row"))


def test_the_toy_s_years_by_hand() -> None:
    runs = fetched(("a", "2026-11-18", "2026-11-19"), ("b", "2026-11-20", "2026-11-20"))
    rows = compute(night_of("2026-11-20"), feed_versions=VERSIONS, fetched_versions=runs)
    told = rows.select("service_date", "from_date", "to_date", "day_count", "version_id", "basis")
    night = iso("2026-11-20")
    assert told.rows() == [
        (night, iso("2026-11-18"), iso("2026-12-31"), 44, "a", "in force"),
        (night, iso("2027-01-01"), iso("2027-12-31"), 365, "b", "in force"),
    ]
    assert rows.columns == GoverningVersions.column_names()


def test_days_far_from_any_version_have_none_and_say_why() -> None:
    runs = fetched(("b", "2026-11-20", "2026-11-20"))
    rows = compute(night_of("2026-11-20"), feed_versions=VERSIONS, fetched_versions=runs)
    first = rows.row(0, named=True)
    assert (first["version_id"], first["basis"], first["reason"]) == (None, "none", NO_VERSION)
    assert (first["to_date"], first["is_assumed"]) == (iso("2026-12-03"), False)
    assert rows.get_column("is_assumed").to_list() == [False, True, False]
    assert rows.get_column("reason").to_list() == [NO_VERSION, None, None]


def test_feeds_that_never_came_have_no_rows() -> None:
    rows = compute(
        night_of("2026-11-20"), feed_versions=VERSIONS.clear(), fetched_versions=fetched()
    )
    assert rows.is_empty()
