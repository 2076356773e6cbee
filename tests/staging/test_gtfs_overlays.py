"""Feeds with one defect each: every overlay over a sound base gives the notice that it is about.

An overlay's column `expect_error` names its defect in transitland-lib's words; `NOTICES` says by
which notice code, in which file, that is told here. The base alone gives none of these.
"""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from pipelines.sources.gtfs.parse import validate_feed
from tests.toy_feeds import feed_source

# A day within the base's calendar.
TODAY = date(2019, 6, 1)

# The defect of each overlay: notice code, file, field and value that its sample tells.
NOTICES: dict[str, tuple[str, str, str | None, str | None]] = {
    "best-practices/agency-agency_id-recommended": (
        *("missing_required_agency_id", "agency.txt", "agency_id", None),
    ),
    "best-practices/calendar-all-days-empty": (
        *("service_has_no_active_day_of_the_week", "calendar.txt", "monday", "0"),
    ),
    "best-practices/calendar-too-short": (
        *("calendar_of_one_day", "calendar.txt", "end_date", "20180526"),
    ),
    # 15:00 to 15:02; 14:00 to 14:00 is start_and_end_range_equal.
    "best-practices/frequency-duration": (
        *("frequency_shorter_than_headway", "frequencies.txt", "end_time", "15:02:00"),
    ),
    "best-practices/route-name-invalid-chars": (
        *("route_name_with_odd_character", "routes.txt", "route_short_name", "Green_1"),
    ),
    "best-practices/routes-duplicate-long-name": (
        "duplicate_route_name",
        "routes.txt",
        "route_short_name",
        "Warm Springs/South Fremont - Richmond",
    ),
    "best-practices/routes-insufficient-color-contrast": (
        *("route_color_contrast", "routes.txt", "route_text_color", "ff9933 on ff9933"),
    ),
    "best-practices/routes-short-name-too-long": (
        "route_short_name_too_long",
        "routes.txt",
        "route_short_name",
        "this short name might be too long",
    ),
    "best-practices/shape-zero-coordinates": (
        *("point_near_origin", "shapes.txt", "shape_pt_lat", "0.0"),
    ),
    "best-practices/stop-too-close": (
        *("stop_too_close_to_another", "stops.txt", "stop_id", "19TH_too_close"),
    ),
    "best-practices/stop-too-far-from-shape": (
        *("stop_too_far_from_shape", "stop_times.txt", "stop_id", "LAKE"),
    ),
    # A time that is not asked for; the one that is, and lacking, is missing_required_field.
    "best-practices/transfers-min-transfer-time": (
        *("unexpected_min_transfer_time", "transfers.txt", "min_transfer_time", "600"),
    ),
    "errors/agency-duplicate": ("duplicate_key", "agency.txt", "agency_id", "BART"),
    "errors/attributions-unknown-agency_id": (
        *("foreign_key_violation", "attributions.txt", "agency_id", "xyz"),
    ),
    "errors/attributions-unknown-trip_id": (
        *("foreign_key_violation", "attributions.txt", "trip_id", "xyz"),
    ),
    "errors/calendar_dates-duplicate": (
        *("duplicate_key", "calendar_dates.txt", "service_id,date", "WKDY,2019-01-01"),
    ),
    "errors/fare_attributes-conditional-agency_id": (
        *("missing_required_agency_id", "fare_attributes.txt", "agency_id", None),
    ),
    "errors/fare_leg_rules-unknown-fare-product_id": (
        *("foreign_key_violation", "fare_leg_rules.txt", "fare_product_id", "missing"),
    ),
    "errors/fare_leg_rules-unknown-network_id": (
        *("foreign_key_violation", "fare_leg_rules.txt", "network_id", "missing"),
    ),
    "errors/fare_products-ambiguous-rider-category": (
        "fare_product_with_multiple_default_rider_categories",
        "fare_products.txt",
        "rider_category_id",
        "test1",
    ),
    "errors/fare_products-unknown-fare_container_id": (
        *("foreign_key_violation", "fare_products.txt", "fare_media_id", "missing"),
    ),
    "errors/fare_rules-unknown-contains_id": (
        *("foreign_key_violation", "fare_rules.txt", "contains_id", "xyz"),
    ),
    "errors/fare_rules-unknown-fare_id": (
        *("foreign_key_violation", "fare_rules.txt", "fare_id", "xyz"),
    ),
    "errors/fare_rules-unknown-route_id": (
        *("foreign_key_violation", "fare_rules.txt", "route_id", "xyz"),
    ),
    "errors/fare_transfer_rules-unknown-filter_fare_product_id": (
        *("foreign_key_violation", "fare_transfer_rules.txt", "filter_fare_product_id", "missing"),
    ),
    "errors/fare_transfer_rules-unknown-to_leg_group_id": (
        *("foreign_key_violation", "fare_transfer_rules.txt", "to_leg_group_id", "missing"),
    ),
    "errors/feed-headers-missing": (
        *("missing_required_column", "stop_times.txt", "trip_id", None),
    ),
    "errors/networks-duplicate-network_id": ("duplicate_key", "networks.txt", "network_id", "BA"),
    "errors/route_networks-unknown-network_id": (
        *("foreign_key_violation", "route_networks.txt", "network_id", "xyz"),
    ),
    "errors/routes-conditional-agency_id": (
        *("missing_required_agency_id", "routes.txt", "agency_id", None),
    ),
    "errors/routes-unknown-agency_id": (
        *("foreign_key_violation", "routes.txt", "agency_id", "missing"),
    ),
    "errors/shapes-sequence": (
        *("duplicate_key", "shapes.txt", "shape_id,shape_pt_sequence", "04_shp,0"),
    ),
    "errors/stop_areas-unknown-area_id": (
        *("foreign_key_violation", "stop_areas.txt", "area_id", "missing"),
    ),
    "errors/stop_times-unknown-stop_id": (
        *("foreign_key_violation", "stop_times.txt", "stop_id", "xyz"),
    ),
    "errors/stops-duplicate": ("duplicate_key", "stops.txt", "stop_id", "LAKE"),
    "errors/stops-unknown-parent_stationn": (
        *("foreign_key_violation", "stops.txt", "parent_station", "xyz"),
    ),
    "errors/transfer-unknown-from_stop_id": (
        *("foreign_key_violation", "transfers.txt", "from_stop_id", "xyz"),
    ),
    "errors/transfer-unknown-to_route_id": (
        *("foreign_key_violation", "transfers.txt", "to_route_id", "xyz"),
    ),
    "errors/transfer-unknown-to_trip_id": (
        *("foreign_key_violation", "transfers.txt", "to_trip_id", "xyz"),
    ),
    "errors/trips-backwards-time": (
        "stop_time_with_arrival_before_previous_departure_time",
        "stop_times.txt",
        "arrival_time",
        "5:00:00",
    ),
    "errors/trips-no-final-arrival_time": (
        *("missing_trip_edge", "stop_times.txt", "arrival_time", None),
    ),
    "errors/trips-one": ("unusable_trip", "trips.txt", "trip_id", "2230435WKDY"),
    "errors/trips-unknown-service_id": (
        *("foreign_key_violation", "trips.txt", "service_id", "xyz"),
    ),
}


def overlaid(overlays: Path, name: str | None) -> bytes:
    """The base as an archive, an overlay's files put over its own."""
    files = {path.name: path for path in (overlays / "base").iterdir()}
    if name:
        files |= {path.name: path for path in (overlays / name).glob("*.txt")}
        files.pop("expect_errors.txt", None)  # the overlay's own list of what to expect
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file_name, path in files.items():
            archive.writestr(file_name, path.read_bytes())
    return buffer.getvalue()


def told(overlays: Path, name: str | None = None) -> set[tuple[str, str, str | None, str | None]]:
    feed = validate_feed(overlaid(overlays, name), feed_source(), TODAY)
    return {
        (notice.code, notice.file, sample["field"], sample["value"])
        for notice in feed.notices()
        for sample in notice.sample
    }


@pytest.fixture(scope="module")
def overlays(shared_data: Path) -> Path:
    return shared_data / "bad_gtfs" / "overlays"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTICES)
def test_each_defect_is_told(overlays: Path, name: str) -> None:
    assert NOTICES[name] in told(overlays, name)


def test_every_overlay_is_tried(overlays: Path) -> None:
    folders = (p for kind in ("best-practices", "errors") for p in (overlays / kind).iterdir())
    assert {f"{path.parent.name}/{path.name}" for path in folders} == set(NOTICES)


@pytest.mark.slow
def test_the_base_has_none_of_the_defects(overlays: Path) -> None:
    codes = {(code, file) for code, file, *_ in NOTICES.values()}
    assert not [(code, file) for code, file, *_ in told(overlays) if (code, file) in codes]
