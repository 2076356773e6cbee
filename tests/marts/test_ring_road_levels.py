"""Published traffic levels: a toy city by hand, what ours can't say, and Almaty's own."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.marts.ring_road_levels import (
    NO_PERIOD,
    NO_SHARE,
    NO_STATION,
    compute_ring_road_levels,
)
from pipelines.night import SourceVersion
from pipelines.settings import ROOT
from pipelines.sources.traffic.published import parse_published_levels
from pipelines.staging.published_levels import PublishedLevels, stage_published_levels
from pipelines.staging.sift import Staged
from tests.toy_feeds import night_of

ALMATY = ROOT / "cities" / "almaty.ring_road_levels.csv"
HEADING = (
    "level_id,place_name,station_id,station_role,period_from,period_to,vehicles_per_day,"
    "not_entering_share,qualifier,pair_id,published_date,what,source_address\n"
)
# The gate counts 900 a day early in June and 600 in July, two gantries 40 and 60, all as a mean.
TOY = (
    HEADING
    + """\
gate before,Gate,W,,2023-06-01,2023-06-10,1000,,over,gate,2025-06-17,all,told
gate after,Gate,W,,2023-07,,500,,about,gate,2025-06-17,all,told
ring,Ring,,ring,2023-07-01,2023-07-31,100,,,,,all,told
ring later,Ring,,ring,,,200,,exactly,,,all,told
designed,Ring,,,2023-07,,28,,under,,,designed,told
past the city,Ring,,,,,,0.4,about,,,share,told
elsewhere,Elsewhere,X,,2023-07,,10,,,,,all,told
"""
)
MARKS = {"stations": "measured", "counts": "measured", "other": "synthetic"}


def staged(text: str) -> Staged:
    source = SourceVersion("levels", "v1", "levels.csv", "csv")
    return stage_published_levels(parse_published_levels(text.encode(), source), source)


def days_of(station_id: str, first: str, last: str, count: int | None) -> pl.DataFrame:
    """Days on which a station counted so many vehicles; None: in some of its hours alone.

    Large counts rise by two a day, and are that many in the mean: equal ones come of stuck sensors.
    """
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    days = [start + timedelta(n) for n in range((end - start).days + 1)]
    mean, rise = (5, 0) if count is None else (count, 2 if count > 100 else 0)
    middle = (len(days) - 1) // 2
    return pl.DataFrame(
        {
            "source_id": "counts",
            "version_id": "d1",
            "station_id": station_id,
            "service_date": days,
            "vehicle_class": "all",
            "vehicle_count": pl.Series(
                [mean + rise * (n - middle) for n in range(len(days))], dtype=pl.Int64
            ),
            "day_hour_count": pl.Series([24] * len(days), dtype=pl.Int32),
            "counted_hour_count": pl.Series(
                [3 if count is None else 24] * len(days), dtype=pl.Int32
            ),
            "null_hour_count": pl.Series([0] * len(days), dtype=pl.Int32),
            "zero_hour_count": pl.Series([0] * len(days), dtype=pl.Int32),
            "longest_equal_hour_count": pl.Series([1] * len(days), dtype=pl.Int32),
            "mean_clock_hour": 12.0,
        }
    )


DAYS = pl.concat(
    [
        days_of("W", "2023-06-01", "2023-06-05", 900),
        days_of("W", "2023-06-06", "2023-06-10", None),
        days_of("W", "2023-07-01", "2023-07-31", 600),
        days_of("R1", "2023-07-01", "2023-07-31", 40),
        days_of("R2", "2023-07-01", "2023-07-20", 60),
        days_of("R3", "2023-07-01", "2023-07-15", 9),
    ]
)
STATIONS = pl.DataFrame(
    {
        "source_id": "stations",
        "version_id": "s1",
        "station_id": ["W", "R1", "R2", "R3"],
        "role": ["screenline", "ring", "ring", "ring"],
    }
)


def computed(
    text: str = TOY, day: str = "2026-11-20", days: pl.DataFrame = DAYS
) -> dict[str, dict[str, Any]]:
    rows = staged(text)
    assert rows.quarantine.is_empty()
    found = compute_ring_road_levels(
        night_of(day),
        published_levels=PublishedLevels.validate(rows.rows),
        count_stations=STATIONS,  # type: ignore[arg-type]  # toy rows
        count_station_days=days,  # type: ignore[arg-type]
        marks=MARKS,  # type: ignore[arg-type]
    )
    return {row["level_id"]: row for row in found.iter_rows(named=True)}


def test_a_toy_city_by_hand() -> None:
    rows = computed()
    before, after = rows["gate before"], rows["gate after"]
    assert (before["published_vehicles_per_day"], before["published_qualifier"]) == (1000, "over")
    assert (before["vehicles_per_day"], before["ratio_to_published"]) == (900.0, 0.9)
    assert (before["station_count"], before["counted_day_count"]) == (1, 5)
    assert (after["period_from_date"], after["period_to_date"]) == (
        date(2023, 7, 1),
        date(2023, 7, 31),
    )
    assert (after["vehicles_per_day"], after["ratio_to_published"]) == (600.0, 1.2)
    # Told: a fall by half; ours: by a third.
    assert (after["published_ratio_to_before"], after["ratio_to_before"]) == (0.5, 0.666667)
    assert (before["published_ratio_to_before"], before["ratio_to_before"]) == (None, None)


def test_of_a_role_the_stations_count_alike_that_counted_half_of_the_days() -> None:
    ring = computed()["ring"]
    assert (ring["vehicles_per_day"], ring["station_count"]) == (50.0, 2)
    assert ring["counted_day_count"] == 31 + 20
    assert ring["published_qualifier"] is None


def test_what_was_published_stays_published() -> None:
    rows = computed()
    assert {row["published_mark"] for row in rows.values()} == {"published"}
    assert (rows["gate after"]["mark"], rows["designed"]["mark"]) == ("measured", "published")
    made_up = computed(days=DAYS.with_columns(source_id=pl.lit("other")))
    assert made_up["gate after"]["mark"] == "synthetic"
    assert made_up["designed"]["mark"] == "published"


@pytest.mark.parametrize(
    ("level_id", "reason"),
    [
        ("ring later", NO_PERIOD),
        ("designed", NO_STATION),
        ("past the city", NO_SHARE),
        ("elsewhere", "0 of 1 stations have sound counts of half of the days"),
    ],
)
def test_without_ours_there_is_a_reason(level_id: str, reason: str) -> None:
    row = computed()[level_id]
    assert (row["vehicles_per_day"], row["ratio_to_published"], row["reason"]) == (
        *(None, None),
        reason,
    )


def test_too_few_days_or_stations_are_a_reason() -> None:
    four = DAYS.filter(pl.col("service_date") != date(2023, 6, 3))
    assert computed(days=four)["gate before"]["reason"] == (
        "0 of 1 stations have sound counts of half of the days"
    )
    # The pair's other level stands, without a change.
    after = computed(days=four)["gate after"]
    assert (after["vehicles_per_day"], after["ratio_to_before"]) == (600.0, None)
    one = DAYS.filter(pl.col("station_id") != "R2")
    assert (
        computed(days=one)["ring"]["reason"]
        == "1 of 3 stations have sound counts of half of the days"
    )


def test_days_of_a_broken_sensor_are_no_level() -> None:
    is_july = (pl.col("station_id") == "W") & (pl.col("service_date") >= date(2023, 7, 1))
    count = pl.col("vehicle_count")

    def stuck_for(day_count: int) -> dict[str, Any]:
        is_stuck = is_july & (pl.col("service_date") <= date(2023, 7, day_count))
        stuck = pl.when(is_stuck).then(777).otherwise(count).cast(pl.Int64)
        return computed(days=DAYS.with_columns(vehicle_count=stuck))["gate after"]

    # Of the 31 counts 570 to 630 the last 16 are left: 600 to 630.
    assert (stuck_for(15)["vehicles_per_day"], stuck_for(15)["counted_day_count"]) == (615.0, 16)
    assert stuck_for(16)["reason"] == "0 of 1 stations have sound counts of half of the days"


def test_a_night_knows_nothing_that_was_told_after_it() -> None:
    assert set(computed(day="2025-06-16")) == {
        *("ring", "ring later", "designed"),
        *("past the city", "elsewhere"),
    }
    assert "gate after" in computed(day="2025-06-17")
    assert "ring" not in computed(day="2023-07-30")


def test_without_statements_there_are_no_rows() -> None:
    assert computed(HEADING) == {}


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("x,X,W,,2023-06,,5,,nearly,,,all,told", "qualifier|check"),
        ("x,X,W,,2023-06,,,,about,,,all,told", "says_one_number"),
        ("x,X,W,,2023-06,,5,0.5,about,,,all,told", "says_one_number"),
        ("x,X,W,ring,2023-06,,5,,about,,,all,told", "one_place"),
        ("x,X,W,,2023-06,2023-05,5,,about,,,all,told", "period_in_order"),
        ("x,X,W,,,2023-05,5,,about,,,all,told", "period_in_order"),
        ("x,X,W,,summer,,5,,about,,,all,told", "period_from_date|unparsable"),
        ("x,X,W,,,,5,,about,pair,,all,told", "pair_has_periods"),
        ("x,X,W,,2023-06,,0,,about,,,all,told", "vehicles_per_day|min"),
        ("x,X,,motorway,2023-06,,5,,about,,,all,told", "station_role|check"),
    ],
)
def test_a_bad_statement_goes_to_quarantine_by_its_rule(row: str, rule: str) -> None:
    assert staged(HEADING + row + "\n").quarantine.get_column("rule").to_list() == [rule]


def test_a_list_without_sources_is_no_list() -> None:
    with pytest.raises(SourceError, match="lacks the column 'source_address'"):
        staged("level_id,place_name,qualifier,what\nx,X,about,all\n")


def test_a_list_may_lack_what_is_seldom_known() -> None:
    text = "level_id,place_name,vehicles_per_day,qualifier,what,source_address\nx,X,5,about,a,b\n"
    assert staged(text).rows.height == 1
    assert staged(text).quarantine.is_empty()


def test_almaty_s_statements_are_as_they_were_published(shared_data: Any) -> None:
    rows = staged(ALMATY.read_text(encoding="utf-8"))
    assert rows.quarantine.is_empty()
    ours = {
        (level, source): qualifier
        for level, source, qualifier in rows.rows.select(
            pl.coalesce("vehicles_per_day", "not_entering_share"), "source_address", "qualifier"
        ).iter_rows()
    }
    with (shared_data / "almaty" / "published_facts.csv").open(encoding="utf-8") as table:
        told = [row for row in csv.DictReader(table) if row["topic"] == "bakad"]
    levels = [
        row
        for row in told
        if row["unit"] in ("veh/day", "share") and "transit vehicles" not in row["metric"]
    ]
    assert len(levels) == rows.rows.height == 9
    for row in levels:
        assert (float(row["value"]), row["source_url"]) in ours
        qualifier = ours[float(row["value"]), row["source_url"]]
        assert (qualifier or "") in row["note"]
        assert (qualifier is None) == ("'about'" not in row["note"] and "'over'" not in row["note"])
