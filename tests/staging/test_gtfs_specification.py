"""GTFS Schedule as data: it is whole in itself, and says what the reference says."""

from __future__ import annotations

from typing import get_args

import pytest

from pipelines.staging.gtfs.specification import FILES, ZONE_ID, Field, File, Kind, Presence

REFERENCE_ORDER = (
    "agency stops routes trips stop_times calendar calendar_dates "
    "fare_attributes fare_rules timeframes rider_categories fare_media fare_products "
    "fare_leg_rules fare_leg_join_rules fare_transfer_rules areas stop_areas networks "
    "route_networks shapes frequencies transfers pathways levels location_groups "
    "location_group_stops booking_rules translations feed_info attributions"
)

each_file = pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))


def field(address: str) -> Field:
    file, column = address.split(".")
    return FILES[file].column(column)


def test_every_file_of_the_reference_is_there_in_its_order() -> None:
    assert " ".join(FILES) == REFERENCE_ORDER
    assert all(name == file.name for name, file in FILES.items())


@each_file
def test_a_file_names_each_column_once_and_its_key_is_of_its_columns(file: File) -> None:
    assert len(set(file.column_names)) == len(file.column_names)
    assert set(file.key) <= set(file.column_names)
    assert len(set(file.key)) == len(file.key)
    assert (file.key == ()) == file.is_single
    assert file.presence in get_args(Presence)


@each_file
def test_a_reference_points_at_an_id_that_exists(file: File) -> None:
    for column in file.fields:
        for address in column.references:
            assert address == ZONE_ID or field(address).kind == "id", column.name
        if column.references:
            assert column.kind == "id", column.name


@each_file
def test_kinds_and_values_of_fields_agree(file: File) -> None:
    for column in file.fields:
        assert column.kind in get_args(Kind), column.name
        assert (column.kind == "enum") == bool(column.values), column.name
        if column.kind == "enum" and column.default is not None:
            assert int(column.default) in column.values, column.name
        if (column.least, column.most, column.above) != (None, None, None):
            assert column.kind in {"integer", "float", "latitude", "longitude"}, column.name
        if column.mixed_case:
            assert column.kind == "text", column.name


@each_file
def test_a_vital_field_needs_a_value_in_every_row(file: File) -> None:
    for column in file.fields:
        assert column.presence in get_args(Presence), column.name
        if column.is_vital:
            assert column.needs_value, column.name
        if column.may_be_blank:
            assert column.presence == "required", column.name
            assert not column.needs_value, column.name


def test_coordinates_are_bounded_on_the_globe() -> None:
    bounds = {
        (column.kind, column.least, column.most)
        for file in FILES.values()
        for column in file.fields
        if column.kind in {"latitude", "longitude"}
    }
    assert bounds == {("latitude", -90, 90), ("longitude", -180, 180)}


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("stop_times", "trip_id stop_sequence"),
        ("calendar_dates", "service_id date"),
        ("shapes", "shape_id shape_pt_sequence"),
        ("frequencies", "trip_id start_time"),
        ("fare_rules", "fare_id route_id origin_id destination_id contains_id"),
        ("fare_products", "fare_product_id rider_category_id fare_media_id"),
        (
            "transfers",
            "from_stop_id to_stop_id from_trip_id to_trip_id from_route_id to_route_id",
        ),
        ("translations", "table_name field_name language record_id record_sub_id field_value"),
        ("route_networks", "route_id"),
        ("attributions", "attribution_id"),
        ("feed_info", ""),
    ],
)
def test_keys_are_those_of_the_reference(file: str, key: str) -> None:
    assert FILES[file].key == tuple(key.split())


@pytest.mark.parametrize("file", ["fare_rules", "timeframes", "stop_areas", "location_group_stops"])
def test_where_a_row_is_its_own_key_every_column_is_in_it(file: str) -> None:
    assert FILES[file].key == FILES[file].column_names


@pytest.mark.parametrize(
    ("presence", "names"),
    [
        ("required", "agency routes trips stop_times"),
        (
            "conditional",
            "stops calendar calendar_dates networks route_networks shapes levels feed_info",
        ),
    ],
)
def test_presence_of_files(presence: Presence, names: str) -> None:
    assert [name for name in FILES if FILES[name].presence == presence] == names.split()


@pytest.mark.parametrize(
    ("address", "presence"),
    [
        ("agency.agency_id", "conditional"),
        ("agency.agency_name", "required"),
        ("stops.stop_name", "conditional"),
        ("stops.stop_lat", "conditional"),
        ("stops.zone_id", "optional"),
        ("stops.parent_station", "conditional"),
        ("stops.stop_access", "conditional"),
        ("routes.agency_id", "conditional"),
        ("routes.route_type", "required"),
        ("trips.trip_headsign", "optional"),
        ("trips.shape_id", "conditional"),
        ("stop_times.arrival_time", "conditional"),
        ("stop_times.stop_id", "conditional"),
        ("stop_times.timepoint", "optional"),
        ("calendar.sunday", "required"),
        ("timeframes.timeframe_group_id", "required"),
        ("fare_transfer_rules.transfer_count", "conditional"),
        ("transfers.min_transfer_time", "conditional"),
        ("booking_rules.prior_notice_last_day", "conditional"),
        ("translations.record_id", "conditional"),
        ("feed_info.feed_version", "recommended"),
        ("feed_info.feed_contact_email", "optional"),
    ],
)
def test_presence_of_fields(address: str, presence: Presence) -> None:
    assert field(address).presence == presence


@pytest.mark.parametrize(
    ("address", "default"),
    [
        ("stops.location_type", "0"),
        ("routes.route_color", "FFFFFF"),
        ("routes.route_text_color", "000000"),
        ("routes.continuous_pickup", "1"),
        ("stop_times.continuous_pickup", None),
        ("stop_times.pickup_type", "0"),
        ("stop_times.timepoint", "1"),
        ("timeframes.end_time", "24:00:00"),
        ("transfers.transfer_type", "0"),
        ("fare_attributes.transfers", None),
        ("trips.direction_id", None),
    ],
)
def test_what_blank_means(address: str, default: str | None) -> None:
    assert field(address).default == default


def test_required_columns_in_which_blank_has_a_meaning() -> None:
    blank = [
        f"{file.name}.{column.name}"
        for file in FILES.values()
        for column in file.fields
        if column.may_be_blank
    ]
    assert blank == [
        "fare_attributes.transfers",
        "rider_categories.is_default_fare_category",
        "transfers.transfer_type",
    ]


def test_route_types_take_the_extended_ones_too() -> None:
    column = field("routes.route_type")
    assert column.values == (0, 1, 2, 3, 4, 5, 6, 7, 11, 12)
    known = {value for values in column.also for value in values}
    assert {100, 400, 700, 800, 900, 1700, 1799} <= known
    assert not {8, 9, 10, 13, 99, 1800} & known


def test_signs_of_numbers() -> None:
    assert field("frequencies.headway_secs").above == 0
    assert field("fare_transfer_rules.duration_limit").above == 0
    assert field("stop_times.stop_sequence").least == 0
    assert field("fare_attributes.price").least == 0
    assert field("fare_products.amount").least is None  # a discount is below zero
    assert field("pathways.stair_count").is_non_zero
    assert field("pathways.stair_count").least is None  # stairs down
    count = field("fare_transfer_rules.transfer_count")
    assert (count.least, count.is_non_zero) == (-1, True)


def test_references_with_more_than_one_target() -> None:
    services = ("calendar.service_id", "calendar_dates.service_id")
    networks = ("routes.network_id", "networks.network_id")
    assert field("trips.service_id").references == services
    assert field("timeframes.service_id").references == services
    assert field("booking_rules.prior_notice_service_id").references == services[:1]
    assert field("fare_leg_rules.network_id").references == networks
    assert field("fare_rules.origin_id").references == ("stops.zone_id",)
    assert field("stop_times.location_id").references == (ZONE_ID,)
    assert field("calendar_dates.service_id").references == ()


def test_a_broken_address_or_colour_costs_no_row_and_a_broken_date_of_service_does() -> None:
    kept = ("agency.agency_url", "routes.route_color", "stops.stop_lat", "feed_info.feed_lang")
    lost = ("calendar.start_date", "calendar.monday", "calendar_dates.date", "trips.route_id")
    assert not any(field(address).is_vital for address in kept)
    assert all(field(address).is_vital for address in lost)


def test_every_key_of_a_table_that_others_refer_to_is_vital_unless_it_may_be_left_out() -> None:
    targets = {
        address
        for file in FILES.values()
        for column in file.fields
        for address in column.references
        if address != ZONE_ID
    }
    not_vital = {address for address in targets if not field(address).is_vital}
    assert not_vital == {
        "agency.agency_id",
        "fare_leg_rules.leg_group_id",
        "routes.network_id",
        "stops.zone_id",
    }


def test_a_column_that_a_file_lacks_is_a_key_error_with_its_address() -> None:
    with pytest.raises(KeyError, match=r"stops\.stop_street"):
        field("stops.stop_street")


def test_the_data_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        FILES["stops"] = FILES["agency"]  # type: ignore[index]  # that is what is tried
