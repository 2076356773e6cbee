"""What governs a night is what was written for it, whatever was written for other nights since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.settings import Settings
from pipelines.warehouse import ops
from pipelines.warehouse.lake import Lake, Partition, open_lake
from pipelines.warehouse.night_sources import (
    NIGHT_SOURCES,
    Governing,
    SourceNights,
    every_night,
    governing,
    source_ids,
)

pytestmark = pytest.mark.slow

SERIES, PLAIN = "traffic_counts", "fleet"


def night(number: int) -> date:
    return date(2026, 11, number)


def good(name: str, version_id: str, day: date, kind: str = SERIES) -> Governing:
    return Governing(
        kind[:5], name, version_id, f"hash of {version_id}", kind, "measured",
        is_stale=False, good_date=day, reason="",
    )  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("lake")
    catalog, objects = folder / "catalog.sqlite", folder / "objects"
    with open_lake(Settings(folder, folder, str(catalog), str(objects))) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _empty(lake: Lake) -> None:
    clear(lake)


def clear(lake: Lake) -> None:
    if lake.exists(NIGHT_SOURCES):
        lake.call(f"DELETE FROM {lake.address(NIGHT_SOURCES)}")


def write(lake: Lake, day: date, objects: list[Governing]) -> None:
    lake.write(SourceNights(lake, objects[0].source_id).partitions(day, objects))


def kept(lake: Lake) -> dict[date, list[str]]:
    """Names of the objects that have a row, by night."""
    rows = lake.read(NIGHT_SOURCES, ops.NightSources).sort("service_date", "object_name")
    found: dict[date, list[str]] = {}
    for day, name in rows.select("service_date", "object_name").iter_rows():
        found.setdefault(day, []).append(name)
    return found


def test_of_a_series_only_what_is_new_is_written(lake: Lake) -> None:
    for number in (1, 2, 3):
        day = night(number)
        write(lake, day, [good(f"{n}.csv", f"v{n}", day) for n in range(1, number + 1)])
    write(lake, night(4), [good(f"{n}.csv", f"v{n}", night(4)) for n in (1, 2, 3)])
    names = {1: ["1.csv"], 2: ["2.csv"], 3: ["3.csv"], 4: ["3.csv"]}
    assert kept(lake) == {night(number): told for number, told in names.items()}
    assert governing(lake, night(3)) == [good(f"{n}.csv", f"v{n}", night(3)) for n in (1, 2, 3)]
    assert governing(lake, night(5)) == []
    # An object that upstream no longer lists is as good as it last was: said once.
    carried = [
        good("1.csv", "v1", night(4)),
        *(good(f"{n}.csv", f"v{n}", night(5)) for n in (2, 3)),
    ]
    write(lake, night(5), carried)
    write(lake, night(6), [carried[0], *(replace(one, good_date=night(6)) for one in carried[1:])])
    assert kept(lake)[night(5)] == ["1.csv"]
    assert kept(lake)[night(6)] == ["3.csv"]
    assert governing(lake, night(6))[0].good_date == night(4)
    assert governing(lake, night(6))[1].good_date == night(6)


def test_an_earlier_night_leaves_later_ones_alone(lake: Lake) -> None:
    for number in (1, 5, 9):
        write(lake, night(number), [good("a", "v1", night(number))])
    write(lake, night(3), [good("a", "v2", night(3)), good("b", "w1", night(3))])
    assert governing(lake, night(3)) == [good("a", "v2", night(3)), good("b", "w1", night(3))]
    for number in (1, 5, 9):
        assert governing(lake, night(number)) == [good("a", "v1", night(number))]
    found = SourceNights(lake, SERIES[:5])
    assert found.last_good(night(4))["b"].version_id == "w1"
    assert list(found.last_good(night(8))) == ["a"]


def test_of_a_source_of_few_objects_each_night_has_its_own_rows(lake: Lake) -> None:
    write(lake, night(1), [good(name, "v", night(1), PLAIN) for name in "ab"])
    write(lake, night(2), [good("b", "v", night(2), PLAIN)])
    assert kept(lake) == {night(1): ["a", "b"], night(2): ["b"]}
    assert governing(lake, night(2)) == [good("b", "v", night(2), PLAIN)]
    assert governing(lake, night(2), [SERIES]) == []
    assert source_ids(lake, [SERIES]) == []
    assert source_ids(lake, [PLAIN, SERIES]) == [PLAIN]


def test_rows_of_a_lake_that_kept_every_object_of_every_night(lake: Lake) -> None:
    nights = {
        night(number): [good(f"{n}.csv", "v", night(number)) for n in range(number)]
        for number in (1, 2, 3)
    }
    for day, objects in nights.items():
        rows = pl.DataFrame(
            [{"service_date": day, **vars(one)} for one in objects],
            schema={name: column.dtype for name, column in ops.NightSources.columns().items()},
        )
        key = {"service_date": day, "source_id": SERIES[:5]}
        lake.write([Partition(NIGHT_SOURCES, key, ops.NightSources, rows)])
    nights[night(4)] = [good(f"{n}.csv", "v", night(4)) for n in range(3)]
    write(lake, night(4), nights[night(4)])
    write(lake, night(5), [replace(one, good_date=night(5)) for one in nights[night(4)]])
    assert {day: governing(lake, day) for day in nights} == nights
    assert len(kept(lake)[night(4)]) == 3  # good on the night, and no longer on a date
    assert len(kept(lake)[night(5)]) == 1


OBJECTS = st.dictionaries(
    st.sampled_from("abc"), st.sampled_from(["v1", "v2", "stale", "missing", "old"]), min_size=1
)


def made(name: str, how: str, day: date) -> Governing:
    one = good(name, "v1", day)
    if how == "stale":
        return replace(one, is_stale=True, good_date=night(1), reason="HTTP 503")
    if how == "missing":
        return replace(one, version_id="", sha256="", is_stale=True, good_date=None, reason="503")
    if how == "old":
        return replace(one, good_date=min(day, night(2)))
    return replace(one, version_id=how, sha256=f"hash of {how}")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(writes=st.lists(st.tuples(st.integers(1, 6), OBJECTS), min_size=1, max_size=7))
def test_every_night_is_what_was_written_last(
    lake: Lake, writes: list[tuple[int, dict[str, str]]]
) -> None:
    clear(lake)
    meant: dict[date, list[Governing]] = {}
    for number, objects in writes:
        day = night(number)
        meant[day] = [made(name, how, day) for name, how in sorted(objects.items())]
        write(lake, day, meant[day])
    assert {day: governing(lake, day) for day in meant} == meant
    rows = every_night(lake).iter_rows(named=True)
    assert [dict(row) for row in rows] == [
        {"service_date": day, **vars(one)} for day in sorted(meant) for one in meant[day]
    ]
