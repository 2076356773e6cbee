"""Counts: tables are read as they are, under our headings."""

from __future__ import annotations

from pipelines.night import SourceVersion
from pipelines.sources.traffic.parse import parse_traffic_counts


def test_other_tables_are_read_as_they_are() -> None:
    source = SourceVersion("counts", "v1", "c.csv", "csv", columns={"post": "station_id"})
    text = b"post,hour_at,vehicle_class,vehicle_count\na,2026-11-20T05:00:00Z,light,1\n"
    rows = parse_traffic_counts(text, source)["rows"]
    assert rows.rows() == [("a", "2026-11-20T05:00:00Z", "light", "1")]
