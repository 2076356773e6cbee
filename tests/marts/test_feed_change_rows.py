"""The keys behind the counts: ids or hashes, words, and no more than a person reads."""

from __future__ import annotations

import pytest

from pipelines.marts import feed_change_rows
from tests.marts.two_versions import change_rows, changes, renamed, version
from tests.toy_feeds import FILES

pytestmark = pytest.mark.slow

TOY = version("a")


def test_keys_are_hashes_where_ids_are_unstable() -> None:
    without = FILES["trips"].replace("10,daily,B2,Alpha,1,\n", "")
    after = renamed(version("b", trips=without), "b")
    rows = change_rows(TOY, after).rows(named=True)
    told = {(row["table_name"], row["change"]): row for row in rows}
    assert set(told) == {("trips", "removed"), ("patterns", "removed"), ("vehicle_km", "changed")}
    assert told["trips", "removed"]["label"] == (
        "10 Alpha - Delta: Bus Delta - Bus Alpha (4 stops) at 23:58:00"
    )
    assert all(len(row["key"]) == 16 for row in rows)
    # The same thing has the same key whichever version it went from.
    back = change_rows(after, TOY)
    assert set(back.get_column("key")) == {row["key"] for row in rows}
    assert set(back.get_column("change")) == {"added", "changed"}


def test_the_first_rows_of_each_table_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_change_rows, "MOST_ROWS_LISTED", 2)
    after = version("b", stops=FILES["stops"].replace("43.2", "43.3"))
    assert changes(TOY, after)["stops"]["changed_count"] == 7
    listed = change_rows(TOY, after).filter(table_name="stops")
    assert listed.select("table_name", "key").rows() == [("stops", "BA"), ("stops", "BB")]
