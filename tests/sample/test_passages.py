"""Passages: what was read of journeys whose truth is known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.sample.days import start_ms
from pipelines.sample.facts import RING_OPENED_DATE
from pipelines.sample.passages import passages_parquet, passings_on
from pipelines.sample.paths import gantries_between, paths
from pipelines.sample.seeds import DEFAULT_SEED
from pipelines.sample.stations import CORDON, READERS, RING
from pipelines.sample.trucks import journeys, passings_entered
from pipelines.sample.truth import TRUTH

pytestmark = pytest.mark.slow

# Within this time two cordon readings of a plate are taken for one trip.
LIMIT = timedelta(hours=4)


@pytest.mark.parametrize("day", [date(2025, 11, 11), date(2026, 5, 12), date(2026, 11, 10)])
def test_true_share_of_through_trips_on_the_ring(day: date) -> None:
    through, _ = journeys(day, DEFAULT_SEED)
    on_ring = np.array([paths()[number].is_ring for number in through.path.tolist()])
    assert len(on_ring) > 2_000
    assert on_ring.mean() == pytest.approx(TRUTH.diversion_share(day), abs=0.5 / len(on_ring))


def test_true_share_rises_slowly() -> None:
    months = [date(2025, 10 + k, 1) for k in range(3)] + [date(2026, k, 1) for k in range(1, 12)]
    shares = [TRUTH.diversion_share(month) for month in months]
    assert shares == sorted(shares)
    assert 0.02 < shares[-1] - shares[0] < 0.08
    assert TRUTH.diversion_share(date(2023, 5, 1)) == 0.0


def test_through_paths_pass_the_gantries_between_their_ends() -> None:
    through = [p for p in paths() if p.is_ring and READERS[p.stations[-1]].role == "cordon"]
    assert len(through) >= 30
    for path in through:
        first, *gantries, last = [READERS[number] for number in path.stations.tolist()]
        assert [first.role, last.role] == ["cordon", "cordon"]
        assert gantries == gantries_between(first.ring_km, last.ring_km)
        assert len(gantries) >= 1
    for path in paths():
        assert (np.diff(path.minutes) > 0).all()


def test_journeys_end_before_the_next_day_does() -> None:
    day = date(2026, 11, 10)
    last = int(passings_entered(day, DEFAULT_SEED).passed_ms.max())
    assert last < start_ms(day + timedelta(days=2))
    next_day = passings_on(day + timedelta(days=1), DEFAULT_SEED)
    # Trips over midnight go on in the next day's passings.
    assert np.isin(next_day.plate, passings_entered(day, DEFAULT_SEED).plate).any()


def test_files_hold_local_days_and_hashes(passages: pl.DataFrame) -> None:
    assert passages.schema["passed_at"] == pl.Datetime("ms", "UTC")
    assert set(passages["direction"]) == {"in", "out"}
    assert set(passages["vehicle_class"]) == {"heavy"}
    assert passages["plate_hash"].str.contains("^[0-9a-f]{16}$").all()
    assert passages["passage_date"].n_unique() == 6
    per_day = passages.group_by("passage_date").len()["len"]
    assert per_day.is_between(30_000, 70_000).all()


def test_several_thousand_trucks_cross_the_cordon(passages: pl.DataFrame) -> None:
    entering = passages.filter(
        pl.col("station_id").str.starts_with("cordon"), pl.col("direction") == "in"
    )
    assert entering.group_by("passage_date").len()["len"].is_between(4_000, 9_000).all()


def test_plates_can_be_followed_within_a_month_only(passages: pl.DataFrame) -> None:
    november = passages.filter(pl.col("passage_date") >= date(2026, 11, 1))
    before = passages.filter(pl.col("passage_date") < date(2026, 11, 1))
    assert not set(november["plate_hash"]) & set(before["plate_hash"])
    monday = set(november.filter(pl.col("passage_date") == date(2026, 11, 9))["plate_hash"])
    thursday = set(november.filter(pl.col("passage_date") == date(2026, 11, 12))["plate_hash"])
    assert len(monday & thursday) > 500  # the same trucks come back


def test_on_the_first_of_a_month_plates_are_known_by_the_key_before_too() -> None:
    last, first, second = (
        pl.read_parquet(passages_parquet(day, DEFAULT_SEED))
        for day in (date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2))
    )
    assert last["overlap_hash"].is_null().all()
    assert second["overlap_hash"].is_null().all()
    assert first["overlap_hash"].str.contains("^[0-9a-f]{16}$").all()
    pairs = first.select("plate_hash", "overlap_hash").unique()
    assert pairs["plate_hash"].is_unique().all()
    assert pairs["overlap_hash"].is_unique().all()
    # Trips over midnight go on: some plates of the last hour are read in the first one.
    late = last.filter(pl.col("passed_at").dt.hour() == 18)["plate_hash"].unique()
    early = first.filter(pl.col("passed_at").dt.hour() == 19)["overlap_hash"].unique()
    assert late.is_in(early.implode()).sum() > 50
    assert not set(late) & set(first["plate_hash"])


def test_no_gantry_reads_before_the_ring_opened() -> None:
    before = pl.read_parquet(passages_parquet(RING_OPENED_DATE - timedelta(days=2), DEFAULT_SEED))
    assert not before["station_id"].str.starts_with("ring").any()
    assert before["station_id"].str.starts_with("cordon").any()


def test_some_plates_are_read_twice_within_seconds(passages: pl.DataFrame) -> None:
    gap = pl.col("passed_at").diff().over("station_id", "plate_hash", order_by="passed_at")
    twice = passages.filter(gap < timedelta(seconds=10))
    assert 0.008 < len(twice) / len(passages) < 0.025


def test_readers_fall_silent_for_hours(passages: pl.DataFrame) -> None:
    """Some station of some day has an hour without readings in its busy daytime."""
    hours = passages.filter(pl.col("station_id").is_in([s.station_id for s in (*CORDON, *RING)]))
    busy = hours.with_columns(
        ((pl.col("passed_at") + timedelta(hours=5)).dt.hour()).alias("hour")
    ).filter(pl.col("hour").is_between(7, 19))
    seen = busy.group_by("station_id", "passage_date").agg(pl.col("hour").n_unique())
    assert seen.filter(pl.col("hour") < 13).height >= 1


def test_audits_find_the_true_read_rates(audits: pl.DataFrame) -> None:
    assert audits["audit_date"].n_unique() == 40
    assert (audits["plates_read_count"] <= audits["vehicles_seen_count"]).all()
    assert 3_000 < len(audits) < 10_000
    rates = TRUTH.read_rates()
    assert rates.min() >= 0.75
    assert rates.max() <= 0.95
    number = {reader.station_id: k for k, reader in enumerate(READERS)}
    silent = pl.col("plates_read_count") == 0
    heard = audits.filter(~silent | (pl.col("vehicles_seen_count") < 3))
    for (station_id,), rows in heard.group_by("station_id"):
        seen = rows["vehicles_seen_count"].to_numpy()
        expected = rates[number[str(station_id)], rows["hour_of_day"].to_numpy()] @ seen
        deviation = float(np.sqrt(expected))
        assert abs(rows["plates_read_count"].sum() - expected) < 4 * deviation


def matched_trips(passages: pl.DataFrame) -> pl.DataFrame:
    """In at one cordon station and out at another next, within LIMIT; and gantries between."""
    cordon = passages.filter(pl.col("station_id").str.starts_with("cordon")).sort("passed_at")
    following = {
        name: pl.col(name).shift(-1).over("plate_hash")
        for name in ("station_id", "direction", "passed_at")
    }
    trips = cordon.with_columns(
        following["station_id"].alias("exit_id"),
        following["direction"].alias("exit_direction"),
        following["passed_at"].alias("left_at"),
    ).filter(
        pl.col("direction") == "in",
        pl.col("exit_direction") == "out",
        pl.col("station_id") != pl.col("exit_id"),
        pl.col("left_at") - pl.col("passed_at") < LIMIT,
    )
    gantries = passages.filter(pl.col("station_id").str.starts_with("ring")).select(
        "plate_hash", pl.col("passed_at").alias("gantry_at")
    )
    seen = (
        trips.join(gantries, on="plate_hash")
        .filter(pl.col("gantry_at").is_between(pl.col("passed_at"), pl.col("left_at")))
        .select("plate_hash", "passed_at")
        .unique()
        .with_columns(pl.lit(1).alias("has_gantry"))
    )
    return trips.join(seen, on=["plate_hash", "passed_at"], how="left").with_columns(
        pl.col("has_gantry").fill_null(0)
    )


def test_corrected_matches_find_the_true_share(passages: pl.DataFrame) -> None:
    """Reads weighted by the read rates give the truth back; without them they miss it."""
    trips = matched_trips(passages.filter(pl.col("passage_date") >= date(2026, 11, 1)))
    assert len(trips) > 5_000
    rate = dict(
        zip((s.station_id for s in READERS), TRUTH.read_rates().mean(axis=1).tolist(), strict=True)
    )
    chainage = {station.station_id: station.ring_km for station in CORDON}
    numerator = denominator = 0.0
    for origin, destination, has_gantry in trips.select(
        "station_id", "exit_id", "has_gantry"
    ).iter_rows():
        gantries = gantries_between(chainage[origin], chainage[destination])
        if not gantries:  # no way by the ring between these two
            continue
        missed = np.prod([1 - rate[gantry.station_id] for gantry in gantries])
        weight = 1 / (rate[origin] * rate[destination])
        numerator += weight * has_gantry / (1 - float(missed))
        denominator += weight
    corrected = numerator / denominator
    naive = trips["has_gantry"].mean()
    truth = TRUTH.diversion_share(date(2026, 11, 1))
    assert corrected == pytest.approx(truth, abs=0.025)
    assert isinstance(naive, float)
    assert abs(naive - truth) > abs(corrected - truth)
