"""The Almaty metro's departure lists become trips."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.marts.trip_stats import compute_trip_stats
from pipelines.sources.gtfs.parse import parse_gtfs, read_feed
from tests.toy_feeds import feed_source, staged_feed

SOURCE = feed_source("metro", "almaty_metro")


def timetable(**changes: object) -> dict[str, object]:
    """Three stations A-B-C, runs of 2 and 3 minutes; times after midnight come first or last."""
    stations = [
        {"order": n, "slug": slug, "name": {"ru": slug}, "lat": 43.2 + n / 100, "lon": 76.9}
        for n, slug in enumerate("ABC", start=1)
    ]
    up = {
        "A": ["07:00:00", "07:00:00", "07:10:00", "23:59:00"],
        "B": ["06:50:00", "07:02:00", "07:12:20", "00:01:00"],
        "C": [],
    }
    down = {"A": [], "B": ["07:03:00"], "C": ["07:00:00", "00:30:00"]}
    lists = {
        slug: {
            "weekday": {"forward": up[slug], "backward": down[slug]},
            "weekend": {"forward": up[slug][:1], "backward": down[slug][:1]},
        }
        for slug in "ABC"
    }
    lists["B"]["weekend"]["forward"] = ["07:02:00"]
    return {
        "schedule.json": {"stations": lists, "source": "here", "generated_at": "2026-08-22"},
        "stations.json": stations,
        "holidays.json": {
            "dates": ["2026-03-21", "2026-03-23", "2027-01-01"],
            "workingWeekends": ["2026-03-28"],
        },
        **changes,
    }


def zipped(files: dict[str, object]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content if isinstance(content, str) else json.dumps(content))
    return out.getvalue()


def text_of(payload: bytes) -> dict[str, pl.DataFrame]:
    feed = read_feed(payload, SOURCE)
    assert feed.stop_times is not None
    tables = {name: table.rows for name, table in feed.tables.items()}
    return {**tables, "stop_times": pl.concat(part.rows for part in feed.stop_times())}


def calls(raw: dict[str, pl.DataFrame], service_id: str, direction: str) -> list[str]:
    of_trip = (
        raw["stop_times"]
        .join(raw["trips"], on="trip_id")
        .filter(service_id=service_id, direction_id=direction)
    )
    trips = of_trip.group_by("trip_id", maintain_order=True).agg(
        pl.format("{} {}", "stop_id", "departure_time").str.join(", ")
    )
    return trips.get_column("stop_id").to_list()


def test_departures_are_chained_station_by_station() -> None:
    raw = text_of(zipped(timetable()))
    assert calls(raw, "weekday", "0") == [
        # Begins in mid-line.
        "B 06:50:00, C 06:53:00",
        "A 07:00:00, B 07:02:00, C 07:05:00",
        # Twenty seconds later than the usual run, still the same train.
        "A 07:10:00, B 07:12:20, C 07:15:20",
        "A 23:59:00, B 24:01:00, C 24:04:00",
    ]
    assert calls(raw, "weekday", "1") == [
        "C 07:00:00, B 07:03:00, A 07:05:00",
        # Nothing departs from B at 24:33: the trip ends there.
        "C 24:30:00, B 24:33:00",
    ]


@pytest.mark.slow
def test_what_was_put_right_is_told() -> None:
    notices = staged_feed(zipped(timetable()), SOURCE)["feed_notices"].filter("is_extension")
    assert dict(notices.select("notice_code", "affected_count").iter_rows()) == {
        "departures_repeated": 1,
        "departures_after_midnight": 2,
        "trips_chained": 8,
        "trips_start_in_mid_line": 1,
        "trips_end_in_mid_line": 1,
    }
    repeated = notices.filter(notice_code="departures_repeated")
    assert repeated.item(0, "affected_sample") == (
        '[{"row": null, "field": null, "value": "A weekday forward"}]'
    )


@pytest.mark.slow
def test_holidays_run_as_weekends_and_working_saturdays_as_weekdays() -> None:
    tables = staged_feed(zipped(timetable()), SOURCE)
    runs = tables["service_dates"].filter(
        pl.col("service_date").cast(pl.String).is_in(["2026-03-23", "2026-03-28", "2027-01-01"])
    )
    assert runs.select("service_id", pl.col("service_date").cast(pl.String)).sort(
        "service_date"
    ).rows() == [
        ("weekend", "2026-03-23"),
        ("weekday", "2026-03-28"),
        ("weekend", "2027-01-01"),
    ]
    period = tables["calendar"].select(pl.col("start_date", "end_date").cast(pl.String)).unique()
    assert period.rows() == [("2026-01-01", "2027-12-31")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule.json": "{"}, r"schedule\.json .* is no JSON"),
        ({"schedule.json": {"stations": {}}}, "no Almaty metro timetable"),
        ({"holidays.json": {"dates": ["soon"], "workingWeekends": []}}, "no Almaty metro"),
        ({"stations.json": []}, "no Almaty metro"),
    ],
)
def test_other_files_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parse_gtfs(zipped(timetable(**changes)), SOURCE)


def test_a_missing_file_is_named() -> None:
    files = timetable()
    del files["holidays.json"]
    with pytest.raises(SourceError, match=r"lacks holidays\.json"):
        parse_gtfs(zipped(files), SOURCE)


@pytest.mark.slow
def test_the_real_timetable(shared_data: Path) -> None:
    folder = shared_data / "almaty" / "metro"
    payload = zipped({path.name: path.read_text() for path in folder.iterdir()})
    tables = staged_feed(payload, SOURCE)
    journeys = compute_trip_stats(
        **{
            name: tables[name]
            for name in (
                *("trips", "routes", "stops", "stop_times"),
                *("shapes", "frequencies", "feed_versions"),
            )
        }
    )
    whole = journeys.filter(
        service_id="weekday", direction_id=0, start_stop_id="RMBK", end_stop_id="BM"
    )
    from_terminal = journeys.filter(service_id="weekday", direction_id=0, start_stop_id="RMBK")
    assert from_terminal.height == 128
    # The last two do not reach the end of the line.
    assert whole.height == 126
    assert whole.get_column("duration_seconds").unique().to_list() == [1590]
    stations = pl.read_csv(folder / "metro_line1_stations.csv")
    assert stations.get_column("sched_run_s_to_next").sum() == 1590
    metres = stations.get_column("haversine_m_to_next").sum()
    assert whole.get_column("distance_km").unique().item() * 1000 == pytest.approx(metres, rel=2e-3)
    # Every departure that is listed is a call, and each call but a trip's last is one listed.
    schedule = json.loads((folder / "schedule.json").read_text())["stations"]
    listed = sum(
        len(set(times))
        for days in schedule.values()
        for directions in days.values()
        for times in directions.values()
    )
    assert tables["stop_times"].height - journeys.height == listed
    codes = set(tables["feed_notices"].get_column("notice_code"))
    assert {"departures_repeated", "departures_after_midnight"} <= codes
