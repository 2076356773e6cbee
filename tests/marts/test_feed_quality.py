"""Feed quality: notices by hand, with and without a policy."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import dataframely as dy
import pytest

from pipelines.marts.feed_quality import MOST_SAMPLES, FeedQuality, compute_feed_quality
from pipelines.policy import Policy
from tests.toy_feeds import WEDNESDAY, night_of
from tests.toy_quarantine import notice, notices

DAY = date.fromisoformat(WEDNESDAY)


def policy(expires: date = DAY + timedelta(days=1), **more: object) -> Policy:
    """A policy of one rule on `invalid_url`."""
    told = {"code": "invalid_url", "owner": "A. Person", "reason": "Nobody reads it."}
    rule = {**told, "expires": expires, **more}
    return Policy.model_validate({"rule": [rule]}, context={"feeds": ["transit", "metro"]})


def found(row: int, field: str, value: str) -> dict[str, Any]:
    return {"row": row, "field": field, "value": value}


FOUND = (
    notice("invalid_url", "agency.txt", sample=[found(2, "agency_url", "x")], affected_count=1),
    notice(
        "invalid_url",
        "routes.txt",
        sample=[found(row, "route_url", "y") for row in range(2, 7)],
        affected_count=40,
    ),
    notice("unused_stop", "stops.txt", severity="WARNING", is_extension=True, affected_count=3),
    notice("invalid_url", "stops.txt", source_id="metro", version_id="m1"),
)


def computed(told: Policy | None = None, *rows: dict[str, Any]) -> dy.DataFrame[FeedQuality]:
    frame = notices(*(rows or FOUND)).sample(fraction=1, shuffle=True, seed=7)
    return compute_feed_quality(
        night_of(WEDNESDAY),
        feed_notices=frame,  # type: ignore[arg-type]  # `notices` has validated it
        policy=told or Policy(),
    )


def test_one_row_a_feed_and_code_its_files_together() -> None:
    rows = computed().select("source_id", "notice_code", "file_names", "affected_count")
    assert rows.rows() == [
        ("metro", "invalid_url", "stops.txt", 1),
        ("transit", "invalid_url", "agency.txt, routes.txt", 41),
        ("transit", "unused_stop", "stops.txt", 3),
    ]


def test_the_sample_names_its_files_and_is_short() -> None:
    row = computed().row(1, named=True)
    sample = json.loads(row["affected_sample"])
    assert len(sample) == MOST_SAMPLES
    assert sample[0] == {"file": "agency.txt", **found(2, "agency_url", "x")}
    assert sample[1] == {"file": "routes.txt", **found(2, "route_url", "y")}


def test_without_a_policy_nothing_is_overridden() -> None:
    rows = computed()
    assert rows.get_column("severity").to_list() == ["ERROR", "ERROR", "WARNING"]
    assert rows.get_column("effective_severity").to_list() == ["ERROR", "ERROR", "WARNING"]
    assert rows.get_column("is_extension").to_list() == [False, False, True]
    assert not rows.get_column("stops_feed").any()
    assert rows.get_column("overridden_by").null_count() == 3


def test_an_override_of_one_feed_is_signed_and_dated() -> None:
    rows = computed(policy(severity="INFO", source="transit"))
    told = rows.select(
        "source_id",
        "severity",
        "effective_severity",
        "overridden_by",
        "override_reason",
        "override_expires_date",
    ).rows()
    signed = ("A. Person", "Nobody reads it.", DAY + timedelta(days=1))
    assert told == [
        ("metro", "ERROR", "ERROR", None, None, None),
        ("transit", "ERROR", "INFO", *signed),
        ("transit", "WARNING", "WARNING", None, None, None),
    ]


@pytest.mark.parametrize(("days", "severity"), [(1, "INFO"), (0, "ERROR"), (-1, "ERROR")])
def test_an_expired_override_does_not_count(days: int, severity: str) -> None:
    rows = computed(policy(DAY + timedelta(days=days), severity="INFO", source="metro"))
    assert rows.item(0, "effective_severity") == severity
    assert (rows.item(0, "overridden_by") is None) == (severity == "ERROR")


def test_what_stops_a_feed_is_told_by_default_and_by_policy() -> None:
    broken = (
        notice("missing_required_file", "feed_info.txt"),
        notice("missing_required_file", "stops.txt"),
        notice("invalid_url", "stops.txt"),
    )
    stops = dict(computed(None, *broken).select("notice_code", "stops_feed").iter_rows())
    assert stops == {"missing_required_file": True, "invalid_url": False}
    stops = dict(
        computed(policy(stops_feed=True), *broken).select("notice_code", "stops_feed").iter_rows()
    )
    assert stops == {"missing_required_file": True, "invalid_url": True}


def test_feeds_without_notices_have_no_rows() -> None:
    nothing = notices(*FOUND).clear()
    rows = compute_feed_quality(night_of(WEDNESDAY), feed_notices=nothing, policy=Policy())  # type: ignore[arg-type]  # `notices` has validated it
    assert rows.is_empty()
    assert rows.schema == computed().schema


def test_rows_say_what_every_figure_says() -> None:
    row = computed().row(0, named=True)
    assert (row["service_date"], row["day_type"], row["mark"]) == (DAY, "weekday", "synthetic")
    assert (row["departure_window"], row["reason"]) == ("whole day", None)
