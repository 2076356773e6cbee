"""The expectations hold on a sound night, and each fails when what it is about is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines import flow
from pipelines.contracts import load_contract
from pipelines.contracts.ddl import create_table_sql
from pipelines.errors import SettingsError
from pipelines.quality.audit import run_checks
from pipelines.quality.expectations import Expectation, load_expectations
from pipelines.quality.failing import with_checked
from pipelines.quality.suite import audit_tables

FOLDER = Path(__file__).resolve().parents[2] / "expectations"
TOY_NIGHT = Path(__file__).with_name("toy_night.sql")
NIGHT = date(2026, 11, 20)
INCLUDED = {"reach", "reach_classes"}
ALL_KINDS = frozenset(kind.name for kind in flow.SOURCE_KINDS)
EXPECTED = {table.name: load_expectations(FOLDER, table.name) for table in flow.TABLES}

_ONE_WAY = (
    "INSERT INTO marts.suburban_rail BY NAME SELECT DATE '2026-11-20' AS service_date,"
    " 'weekday' AS day_type, 'bus' AS source_id, 'r1' AS route_id, 0 AS direction_id,"
    " 1 AS train_count"
)

# What is broken, and which expectations of which table then fail (others may fail as well).
BREAKS: list[tuple[str, str, str]] = [
    ("DELETE FROM staging.feed_versions", "staging.feed_versions", "rows"),
    (
        "INSERT INTO staging.feed_versions BY NAME SELECT 'bus' AS source_id, 'b2' AS version_id",
        "staging.feed_versions",
        "one version per feed",
    ),
    (
        "UPDATE staging.feed_versions SET service_end_date = DATE '2026-11-19'",
        "staging.feed_versions",
        "covers the night",
    ),
    (
        "UPDATE staging.feed_versions SET service_start_date = NULL",
        "staging.feed_versions",
        "covers the night",
    ),
    (
        "UPDATE staging.feed_versions SET trip_count = 3",
        "staging.feed_versions",
        "little is refused",
    ),
    ("DELETE FROM staging.stop_times", "staging.feed_versions", "little is refused"),
    (
        "UPDATE staging.feed_notices SET version_id = 'b0'",
        "staging.feed_notices",
        "feeds are known",
    ),
    (
        "UPDATE staging.feed_notices SET affected_count = 3",
        "staging.feed_notices",
        "few things are odd",
    ),
    (
        "UPDATE staging.feed_rules SET version_id = 'b0'",
        "staging.feed_rules",
        "feeds are known",
    ),
    ("DELETE FROM staging.feed_rules", "staging.feed_rules", "every feed was judged"),
    (
        "UPDATE staging.feed_rules SET rule_status = 'pass'",
        "staging.feed_rules",
        "failures have notices",
    ),
    ("DELETE FROM staging.agency", "staging.agency", "rows"),
    (
        "INSERT INTO staging.agency BY NAME SELECT 'bus' AS source_id, 'UTC' AS agency_timezone",
        "staging.agency",
        "one time zone per feed",
    ),
    ("DELETE FROM staging.stops", "staging.stops", "rows"),
    ("DELETE FROM staging.stops", "staging.stops", "every feed has stops"),
    ("UPDATE staging.stops SET parent_station = 'x'", "staging.stops", "parents are known"),
    (
        "UPDATE staging.stops SET stop_lat = 0, stop_lon = 0 WHERE stop_id = 's1'",
        "staging.stops",
        "none at zero",
    ),
    (
        (
            "INSERT INTO staging.stops BY NAME SELECT 'bus' AS source_id, 'b1' AS version_id,"
            " 55 AS stop_lat, 76.9 AS stop_lon"
        ),
        "staging.stops",
        "none far off",
    ),
    ("DELETE FROM staging.routes", "staging.routes", "rows"),
    ("UPDATE staging.routes SET agency_id = 'x'", "staging.routes", "agencies are known"),
    ("UPDATE staging.routes SET route_short_name = NULL", "staging.routes", "named"),
    ("DELETE FROM staging.trips", "staging.trips", "rows"),
    ("UPDATE staging.trips SET route_id = 'x'", "staging.trips", "routes are known"),
    ("UPDATE staging.trips SET version_id = 'b0'", "staging.trips", "routes are known"),
    ("UPDATE staging.trips SET service_id = 'x'", "staging.trips", "services are known"),
    ("DELETE FROM staging.shapes", "staging.trips", "shapes are known"),
    (
        "DELETE FROM staging.stop_times WHERE stop_sequence = 2",
        "staging.trips",
        "calls are known",
    ),
    ("DELETE FROM staging.stop_times", "staging.stop_times", "rows"),
    ("UPDATE staging.stop_times SET trip_id = 'x'", "staging.stop_times", "trips are known"),
    ("UPDATE staging.stop_times SET stop_id = 'x'", "staging.stop_times", "stops are known"),
    (
        "UPDATE staging.stop_times SET arrival_seconds = NULL WHERE trip_id = 't2'",
        "staging.stop_times",
        "ends have times",
    ),
    (
        "UPDATE staging.stop_times SET arrival_seconds = 109 WHERE stop_sequence = 2",
        "staging.stop_times",
        "time goes on",
    ),
    ("UPDATE staging.frequencies SET trip_id = 'x'", "staging.frequencies", "trips are known"),
    (
        "UPDATE staging.frequencies SET start_seconds = 599 WHERE start_seconds = 600",
        "staging.frequencies",
        "spans apart",
    ),
    ("UPDATE staging.transfers SET to_stop_id = 'x'", "staging.transfers", "stops are known"),
    (
        "UPDATE staging.transfers SET from_trip_id = 'x' WHERE transfer_number = 3",
        "staging.transfers",
        "trips are known",
    ),
    ("UPDATE staging.pathways SET from_stop_id = 'x'", "staging.pathways", "stops are known"),
    ("DELETE FROM staging.shapes WHERE shape_pt_sequence = 2", "staging.shapes", "two points"),
    (
        "UPDATE staging.shapes SET shape_dist_traveled = 9 WHERE shape_pt_sequence = 1",
        "staging.shapes",
        "distance grows",
    ),
    (
        "DELETE FROM staging.calendar; DELETE FROM staging.calendar_dates",
        "staging.calendar",
        "feeds have dates",
    ),
    (
        (
            "UPDATE staging.calendar SET monday = false, tuesday = false, wednesday = false,"
            " thursday = false, friday = false"
        ),
        "staging.calendar",
        "some weekday",
    ),
    ("DELETE FROM staging.calendar", "staging.calendar_dates", "removals remove"),
    (
        "DELETE FROM staging.service_dates WHERE service_date = '2026-11-20'",
        "staging.service_dates",
        "every feed runs",
    ),
    (
        "UPDATE staging.calendar_dates SET date = '2026-11-17' WHERE service_id = 'work'",
        "staging.service_dates",
        "none removed",
    ),
    (
        "DELETE FROM staging.service_dates WHERE service_id = 'extra'",
        "staging.service_dates",
        "none lost",
    ),
    (
        "DELETE FROM staging.service_dates WHERE service_id = 'work'",
        "staging.service_dates",
        "the night as patterned",
    ),
    (
        "UPDATE staging.calendar SET friday = false",
        "staging.service_dates",
        "the night as patterned",
    ),
    ("DELETE FROM staging.vehicles", "staging.vehicles", "rows"),
    (
        "UPDATE staging.vehicles SET fuel_type = 'unknown' WHERE vehicle_id = '1'",
        "staging.vehicles",
        "fuel is known",
    ),
    (
        "INSERT INTO staging.vehicles BY NAME SELECT 'b' AS source_id, '1' AS vehicle_id",
        "staging.vehicles",
        "in one register",
    ),
    (
        "UPDATE staging.vehicles SET manufacture_date = '2015-01-02' WHERE vehicle_id = '1'",
        "staging.vehicles",
        "made before it serves",
    ),
    (
        "UPDATE staging.vehicle_states SET valid_to_date = NULL",
        "staging.vehicle_states",
        "one state a day",
    ),
    (
        "UPDATE marts.vehicle_history SET known_to_date = NULL",
        "marts.vehicle_history",
        "one state a day",
    ),
    (
        (
            "UPDATE marts.vehicle_history SET opened_by = 'change', valid_from_date = '2026-11-20',"
            " changed_columns = 'depot_name, fuel_type' WHERE vehicle_id = '2'"
        ),
        "marts.vehicle_history",
        "few changes of fuel, operator or plate",
    ),
    (
        "UPDATE marts.vehicle_history SET closed_by = 'absence' WHERE vehicle_id = '4'",
        "marts.vehicle_history",
        "few vanish or return",
    ),
    (
        "DELETE FROM marts.diesel_burn_down WHERE status_scope = 'in service'",
        "marts.diesel_burn_down",
        "the service date is counted",
    ),
    (
        "UPDATE marts.diesel_burn_down SET diesel_count = 2",
        "marts.diesel_burn_down",
        "ends where the phase-out stands",
    ),
    (
        "UPDATE staging.fleet_snapshots SET cng_count = 3",
        "staging.fleet_snapshots",
        "fuels within the fleet",
    ),
    (
        "UPDATE marts.diesel_vehicle_km SET vehicle_km = 11 WHERE fuel_type = 'diesel'",
        "marts.diesel_vehicle_km",
        "kilometres add up",
    ),
    (
        "DELETE FROM marts.diesel_forecast WHERE forecast_method = 'survival'",
        "marts.diesel_forecast",
        "three ways",
    ),
    (
        "UPDATE marts.diesel_forecast SET zero_date_low = '2026-11-19'",
        "marts.diesel_forecast",
        "not in the past",
    ),
    (
        "UPDATE marts.forecast_skill SET held_share = 0.4",
        "marts.forecast_skill",
        "intervals hold",
    ),
    (
        "UPDATE marts.fleet_reconciliation SET verdict = 'not explained'",
        "marts.fleet_reconciliation",
        "differences are explained",
    ),
    ("DELETE FROM staging.count_stations", "staging.count_stations", "rows"),
    (
        "INSERT INTO staging.count_stations BY NAME SELECT 'b' AS source_id, 'k1' AS station_id",
        "staging.count_stations",
        "in one list",
    ),
    (
        "DELETE FROM staging.count_stations WHERE role = 'ring'",
        "staging.count_stations",
        "roles for passages",
    ),
    ("DELETE FROM staging.count_station_days", "staging.count_station_days", "rows"),
    ("DELETE FROM staging.count_station_days", "staging.count_station_days", "fresh"),
    (
        "UPDATE staging.count_station_days SET service_date = service_date - 3",
        "staging.count_station_days",
        "fresh",
    ),
    (
        "UPDATE staging.count_station_days SET station_id = 'x'",
        "staging.count_station_days",
        "stations are known",
    ),
    ("DELETE FROM staging.count_station_hours", "staging.count_station_days", "adds up"),
    (
        "UPDATE staging.count_station_days SET vehicle_count = 272",
        "staging.count_station_days",
        "adds up",
    ),
    (
        "UPDATE staging.count_station_hours SET station_id = 'x'",
        "staging.count_station_hours",
        "stations are known",
    ),
    (
        (
            "INSERT INTO staging.count_station_hours BY NAME"
            " SELECT * REPLACE ('d2' AS version_id) FROM staging.count_station_hours LIMIT 1"
        ),
        "staging.count_station_hours",
        "counted once",
    ),
    (
        "UPDATE staging.count_station_hours SET vehicle_count = NULL WHERE vehicle_count < 6",
        "staging.count_station_hours",
        "few hours are missing",
    ),
    (
        "UPDATE staging.count_station_hours SET vehicle_count = 7",
        "staging.count_station_hours",
        "none is stuck",
    ),
    ("DELETE FROM staging.passages", "staging.passages", "rows"),
    (
        "UPDATE staging.passages SET plate_hash = 'A123BC02'",
        "staging.passages",
        "no plate in clear",
    ),
    (
        "UPDATE staging.passages SET plate_hash = 'A 123 BC 02 KZ, Almaty'",
        "staging.passages",
        "no plate in clear",
    ),
    (
        "UPDATE staging.passages SET passed_at = '2026-11-17 10:00:00+00'",
        "staging.passages",
        "fresh",
    ),
    ("UPDATE staging.passages SET station_id = 'x'", "staging.passages", "stations are known"),
    ("UPDATE staging.passages SET plate_hash = NULL", "staging.passages", "most plates are read"),
    (
        "UPDATE staging.passages SET overlap_hash = 'A123BC02'",
        "staging.passages",
        "no plate in clear",
    ),
    ("DELETE FROM staging.passage_days", "staging.passage_days", "rows"),
    ("DELETE FROM staging.passage_days", "staging.passage_days", "adds up"),
    (
        "UPDATE staging.passages SET version_id = 'p2' WHERE passage_number = 2",
        "staging.passage_days",
        "adds up",
    ),
    (
        "UPDATE staging.passage_days SET passed_date = DATE '2026-11-17'",
        "staging.passage_days",
        "fresh",
    ),
    (
        "UPDATE staging.passage_days SET undirected_count = 2",
        "staging.passage_days",
        "directions are told",
    ),
    ("DELETE FROM staging.toll_transactions", "staging.toll_transactions", "rows"),
    (
        "UPDATE staging.toll_transactions SET plate_hash = 'A123BC02'",
        "staging.toll_transactions",
        "no plate in clear",
    ),
    (
        "UPDATE staging.toll_transactions SET overlap_hash = '123 ABC 02'",
        "staging.toll_transactions",
        "no plate in clear",
    ),
    (
        "UPDATE staging.toll_transactions SET station_id = 'k1'",
        "staging.toll_transactions",
        "stations are gantries",
    ),
    (
        "UPDATE staging.toll_transactions SET plate_hash = '0123456789abcdef'",
        "staging.toll_transactions",
        "delivered once",
    ),
    (
        "UPDATE staging.toll_transactions SET plate_hash = NULL",
        "staging.toll_transactions",
        "most plates are known",
    ),
    (
        "UPDATE staging.toll_transactions SET plate_hash = 'fedcba9876543210'",
        "staging.toll_transactions",
        "one key with passages",
    ),
    ("DELETE FROM staging.toll_days", "staging.toll_days", "rows"),
    ("DELETE FROM staging.toll_days", "staging.toll_days", "adds up"),
    (
        "DELETE FROM staging.toll_transactions WHERE transaction_number = 2",
        "staging.toll_days",
        "adds up",
    ),
    (
        "UPDATE staging.toll_days SET passed_date = DATE '2026-11-13'",
        "staging.toll_days",
        "fresh",
    ),
    ("DELETE FROM staging.read_audits", "staging.read_audits", "rows"),
    (
        "UPDATE staging.read_audits SET station_id = 'x'",
        "staging.read_audits",
        "stations are known",
    ),
    (
        "UPDATE staging.read_audits SET plates_read_count = 49",
        "staging.read_audits",
        "rates are plausible",
    ),
    ("DELETE FROM staging.population_cells", "staging.population_cells", "rows"),
    (
        "UPDATE staging.population_cells SET population_p50 = 0",
        "staging.population_cells",
        "somebody lives here",
    ),
    (
        "UPDATE staging.population_cells SET latitude = 43.2, longitude = 76.9",
        "staging.population_cells",
        "cells apart",
    ),
    (
        "UPDATE staging.population_cells SET latitude = latitude + 5",
        "staging.population_cells",
        "near the stops",
    ),
    ("DELETE FROM staging.districts", "staging.districts", "rows"),
    ("UPDATE staging.districts SET district_id = 'north'", "staging.districts", "in one source"),
    ("UPDATE staging.districts SET district_name = 'North'", "staging.districts", "names differ"),
    (
        "UPDATE staging.districts SET is_geometry_repaired = true",
        "staging.districts",
        "boundaries as delivered",
    ),
    (
        "UPDATE staging.districts SET longitude = 71.4",
        "staging.districts",
        "residents live in them",
    ),
    ("DELETE FROM staging.commitments", "staging.commitments", "rows"),
    (
        "INSERT INTO staging.commitments BY NAME SELECT 'b' AS source_id, 'jams' AS commitment_id",
        "staging.commitments",
        "in one list",
    ),
    ("UPDATE staging.commitments SET rank = 1", "staging.commitments", "places differ"),
    (
        "UPDATE staging.announced_targets SET commitment_id = 'x'",
        "staging.announced_targets",
        "commitments are known",
    ),
    ("DELETE FROM staging.street_works", "staging.street_works", "rows"),
    (
        "UPDATE staging.street_works SET stage_date = '2026-11-22'",
        "staging.street_works",
        "nothing from the future",
    ),
    (
        "DELETE FROM marts.trip_stats WHERE trip_id = 't2'",
        "marts.trip_stats",
        "every trip with calls",
    ),
    ("UPDATE marts.trip_stats SET stop_count = 3", "marts.trip_stats", "calls add up"),
    ("UPDATE marts.trip_stats SET speed_kmh = 401", "marts.trip_stats", "speeds are plausible"),
    ("UPDATE marts.trip_stats SET departure_count = 0", "marts.trip_stats", "trips leave"),
    (
        "DELETE FROM marts.trip_patterns WHERE trip_id = 't1'",
        "marts.trip_patterns",
        "trips are those of trip_stats",
    ),
    (
        "UPDATE marts.trip_patterns SET stops_by_id_hash = 'h'",
        "marts.trip_patterns",
        "one sequence, one hash",
    ),
    (
        "UPDATE marts.trip_patterns SET weekdays = '0000000'",
        "marts.trip_patterns",
        "most trips have weekdays",
    ),
    (
        "UPDATE marts.governing_versions SET version_id = 'b0'",
        "marts.governing_versions",
        "tonight's version is the one used",
    ),
    (
        "DELETE FROM marts.governing_versions",
        "marts.governing_versions",
        "tonight's version is the one used",
    ),
    (
        "DELETE FROM marts.governing_versions WHERE version_id = 'b1' AND NOT is_assumed",
        "marts.governing_versions",
        "each day once",
    ),
    (
        "UPDATE marts.governing_versions SET to_date = '2026-11-20' WHERE version_id = 'b0'",
        "marts.governing_versions",
        "each day once",
    ),
    (
        "DELETE FROM marts.governing_versions WHERE is_assumed",
        "marts.governing_versions",
        "days to come",
    ),
    (
        "UPDATE marts.governing_versions SET day_count = 1",
        "marts.governing_versions",
        "days are counted",
    ),
    ("DELETE FROM marts.feed_health", "marts.feed_health", "a row for each feed"),
    (
        "UPDATE marts.feed_health SET source_id = 'tram'",
        "marts.feed_health",
        "a row for each feed",
    ),
    ("UPDATE marts.feed_health SET is_stale = true", "marts.feed_health", "feeds come"),
    ("UPDATE marts.feed_health SET days_left_count = 29", "marts.feed_health", "feeds go on"),
    (
        "UPDATE marts.feed_health SET is_assumed = true",
        "marts.feed_health",
        "service is known",
    ),
    (
        "UPDATE marts.feed_health SET version_id = NULL",
        "marts.feed_health",
        "service is known",
    ),
    (
        "UPDATE marts.feed_health SET lead_days_count = 6",
        "marts.feed_health",
        "new versions come in time",
    ),
    (
        "DELETE FROM marts.feed_changes WHERE table_name = 'trips'",
        "marts.feed_changes",
        "all tables are compared",
    ),
    (
        "UPDATE marts.feed_changes SET after_count = 3 WHERE table_name = 'stops'",
        "marts.feed_changes",
        "rows of the feed are counted",
    ),
    (
        "UPDATE marts.feed_changes SET km_lost = 1 WHERE table_name = 'vehicle_km'",
        "marts.feed_changes",
        "kilometres add up",
    ),
    (
        "UPDATE marts.feed_changes SET km_after = 7.9 WHERE table_name = 'vehicle_km'",
        "marts.feed_changes",
        "little is lost",
    ),
    (
        "DELETE FROM marts.feed_change_rows WHERE table_name = 'routes'",
        "marts.feed_change_rows",
        "rows where there are changes",
    ),
    (
        "UPDATE marts.feed_change_rows SET table_name = 'patterns' WHERE table_name = 'routes'",
        "marts.feed_change_rows",
        "rows where there are changes",
    ),
    (
        "UPDATE marts.feed_change_rows SET count_after = 0",
        "marts.feed_change_rows",
        "more is added, less is removed",
    ),
    (
        "UPDATE marts.feed_change_rows SET count_after = 1 WHERE change = 'removed'",
        "marts.feed_change_rows",
        "more is added, less is removed",
    ),
    ("DELETE FROM marts.route_stats WHERE route_id = 'r1'", "marts.route_stats", "trips add up"),
    ("UPDATE marts.route_stats SET departure_count = 2", "marts.route_stats", "trips add up"),
    ("UPDATE marts.route_stats SET route_id = 'x'", "marts.route_stats", "routes are known"),
    ("UPDATE marts.route_stats SET end_seconds = 100", "marts.route_stats", "spans have a length"),
    ("DELETE FROM marts.route_stats", "marts.route_stats", "some feed runs"),
    (
        "UPDATE marts.route_stats SET service_speed_kmh = 401",
        "marts.route_stats",
        "speeds are plausible",
    ),
    ("DELETE FROM marts.feed_quality", "marts.feed_quality", "every notice is told"),
    (
        "UPDATE marts.feed_quality SET affected_count = 2",
        "marts.feed_quality",
        "every notice is told",
    ),
    (
        "UPDATE marts.feed_quality SET override_expires_date = '2026-11-20'",
        "marts.feed_quality",
        "overrides hold on the date",
    ),
    (
        "UPDATE marts.feed_quality SET overridden_by = NULL",
        "marts.feed_quality",
        "what differs is signed",
    ),
    (
        "UPDATE marts.feed_quality SET stops_feed = true",
        "marts.feed_quality",
        "nothing stops a feed that governs",
    ),
    ("UPDATE marts.stop_stats SET trip_count = 3", "marts.stop_stats", "calls add up"),
    ("UPDATE marts.stop_stats SET stop_id = 'x'", "marts.stop_stats", "stops are known"),
    ("UPDATE marts.stop_stats SET end_seconds = 1", "marts.stop_stats", "spans are in order"),
    ("DELETE FROM marts.stop_stats", "marts.stop_stats", "some feed runs"),
    (
        "UPDATE marts.stop_departures SET local_hour = 7",
        "marts.stop_departures",
        "the day adds up",
    ),
    (
        "UPDATE staging.stop_times SET departure_seconds = 25500 WHERE departure_seconds = 300",
        "marts.stop_departures",
        "the day adds up",
    ),
    (
        (
            "UPDATE staging.frequencies SET start_seconds = 25200, end_seconds = 26400,"
            " headway_secs = 600 WHERE start_seconds = 600"
        ),
        "marts.stop_departures",
        "the day adds up",
    ),
    ("UPDATE marts.stop_departures SET stop_id = 'x'", "marts.stop_departures", "stops are known"),
    (
        (
            "INSERT INTO marts.stop_departures BY NAME"
            " SELECT * REPLACE (hour_at + INTERVAL 25 HOUR AS hour_at) FROM marts.stop_departures"
        ),
        "marts.stop_departures",
        "within a day",
    ),
    ("DELETE FROM marts.stop_departures", "marts.stop_departures", "some feed runs"),
    (
        "UPDATE marts.stop_departures SET interpolated_count = 1",
        "marts.stop_departures",
        "few times are computed",
    ),
    (
        "UPDATE marts.metro_reach SET served_stop_count = 0",
        "marts.metro_reach",
        "metro runs",
    ),
    ("UPDATE marts.bus_reach SET served_stop_count = NULL", "marts.bus_reach", "buses run"),
    (
        "DELETE FROM marts.diesel_phase_out WHERE fuel_type = 'hydrogen'",
        "marts.diesel_phase_out",
        "the whole fleet has rows",
    ),
    (
        "UPDATE marts.diesel_phase_out SET vehicle_share = 0.1 WHERE fuel_type = 'unknown'",
        "marts.diesel_phase_out",
        "shares sum to one",
    ),
    (
        "UPDATE marts.diesel_phase_out SET fleet_count = 9",
        "marts.diesel_phase_out",
        "counts sum to the fleet",
    ),
    (
        "UPDATE marts.diesel_phase_out SET vehicle_count = 1 WHERE fuel_type = 'electric'",
        "marts.diesel_phase_out",
        "no more than the register has",
    ),
    (
        "UPDATE marts.vehicle_history SET valid_to_date = NULL",
        "marts.diesel_phase_out",
        "retired vehicles do not count",
    ),
    (
        "DELETE FROM marts.diesel_phase_out WHERE depot_name = 'North' AND fuel_type = 'diesel'",
        "marts.diesel_phase_out",
        "operators add up",
    ),
    (
        (
            "UPDATE marts.diesel_phase_out SET vehicle_count = 2"
            " WHERE service_scope = 'city' AND fuel_type = 'diesel'"
        ),
        "marts.diesel_phase_out",
        "parts within the whole",
    ),
    (
        "UPDATE marts.diesel_phase_out SET vehicle_count = 3 WHERE status_scope = 'in service'",
        "marts.diesel_phase_out",
        "reserve adds",
    ),
    (
        "UPDATE marts.diesel_phase_out SET vehicle_share = NULL",
        "marts.diesel_phase_out",
        "null has a reason",
    ),
    (
        "DELETE FROM marts.ring_road_diversion WHERE month_date = '2026-11-01'",
        "marts.ring_road_diversion",
        "the night's month has a row",
    ),
    (
        "UPDATE marts.ring_road_diversion SET month_date = '2026-12-01'",
        "marts.ring_road_diversion",
        "no month to come",
    ),
    (
        "UPDATE marts.ring_road_diversion SET matched_ring_count = 96",
        "marts.ring_road_diversion",
        "small counts are suppressed",
    ),
    (
        "UPDATE marts.ring_road_diversion SET matched_ring_count = 101",
        "marts.ring_road_diversion",
        "a part of the whole",
    ),
    (
        "UPDATE marts.ring_road_diversion SET diversion_share_high = 0.39",
        "marts.ring_road_diversion",
        "within its bounds",
    ),
    (
        "UPDATE marts.ring_road_diversion SET passage_day_count = 30",
        "marts.ring_road_diversion",
        "days fit the month",
    ),
    (
        "UPDATE marts.ring_road_diversion SET reason = NULL",
        "marts.ring_road_diversion",
        "null has a reason",
    ),
    (
        "UPDATE marts.ring_road_diversion SET diversion_share = NULL",
        "marts.ring_road_diversion",
        "some month is told",
    ),
    (
        "UPDATE marts.ring_road_diversion SET read_rate_ring = 0.49",
        "marts.ring_road_diversion",
        "readers read",
    ),
    (
        (
            "UPDATE marts.ring_road_diversion SET diversion_share = 0.7"
            " WHERE month_date = '2026-11-01'"
        ),
        "marts.ring_road_diversion",
        "no leap",
    ),
    (
        "DELETE FROM marts.ring_road_moved",
        "marts.ring_road_moved",
        "every ended month has a row",
    ),
    (
        "UPDATE marts.ring_road_moved SET month_date = '2026-11-01'",
        "marts.ring_road_moved",
        "no month that goes on",
    ),
    (
        "UPDATE marts.ring_road_diversion SET diversion_share = NULL",
        "marts.ring_road_moved",
        "no share, no trips",
    ),
    (
        "UPDATE marts.ring_road_moved SET ring_hours_per_day = NULL",
        "marts.ring_road_moved",
        "null has a reason",
    ),
    (
        "UPDATE marts.ring_road_moved SET city_hours_avoided_per_day_low = 2000.1",
        "marts.ring_road_moved",
        "within its bounds",
    ),
    (
        "UPDATE marts.ring_road_moved SET ring_km_per_day = 49999, extra_km_per_day = -1",
        "marts.ring_road_moved",
        "the ring's way is no shorter",
    ),
    (
        "UPDATE marts.ring_road_moved SET city_hours_avoided_per_day = 20000",
        "marts.ring_road_moved",
        "speeds of vehicles",
    ),
    (
        "DELETE FROM marts.ring_road_diversion WHERE vehicle_class = 'heavy'",
        "marts.ring_road_diversion",
        "every month with passages has a row",
    ),
    (
        "UPDATE marts.ring_road_diversion SET passage_day_count = 0",
        "marts.ring_road_diversion",
        "every month with passages has a row",
    ),
    (
        "UPDATE marts.ring_road_diversion SET vehicle_class = 'light'",
        "marts.ring_road_diversion",
        "the night's month has a row",
    ),
    (
        (
            "DELETE FROM marts.ring_road_diversion"
            " WHERE vehicle_class = 'light' AND month_date = '2026-10-01'"
        ),
        "marts.ring_road_diversion",
        "every month has all classes",
    ),
    (
        "UPDATE marts.ring_road_diversion SET replayed_day_count = 32",
        "marts.ring_road_diversion",
        "days fit the month",
    ),
    ("DELETE FROM staging.passage_days", "marts.matched_trips", "days were read"),
    (
        "UPDATE marts.matched_trips SET trip_count = 39 WHERE reader = ''",
        "marts.matched_trips",
        "readers are parts of all",
    ),
    (
        "UPDATE marts.matched_trips SET trip_count = 41 WHERE reader = 'g1'",
        "marts.matched_trips",
        "readers are parts of all",
    ),
    (
        "DELETE FROM marts.matched_trips WHERE reader = 'g1'",
        "marts.matched_trips",
        "readers are parts of all",
    ),
    (
        "DELETE FROM marts.matched_trips WHERE reader = 'any'",
        "marts.matched_trips",
        "readers are parts of all",
    ),
    ("UPDATE marts.matched_trips SET trip_count = 0", "marts.matched_trips", "counts are of some"),
    (
        "UPDATE marts.matched_trips SET exit_station_id = 'k1'",
        "marts.matched_trips",
        "counts are of some",
    ),
    (
        "UPDATE marts.matched_trips SET exit_station_id = 'g1'",
        "marts.matched_trips",
        "stations are listed",
    ),
    (
        "UPDATE marts.matched_trips SET reader = 'k2' WHERE reader = 'g1'",
        "marts.matched_trips",
        "stations are listed",
    ),
    (
        "UPDATE marts.matched_trips SET directions = 'out out'",
        "marts.matched_trips",
        "directions fit",
    ),
    ("DELETE FROM marts.matched_trips", "marts.matched_trips", "trips are matched"),
    (
        "UPDATE marts.toll_audits SET service_date = '2026-11-19', audit_date = '2026-11-19'",
        "marts.toll_audits",
        "days were paid",
    ),
    ("UPDATE marts.toll_audits SET audit_date = '2026-11-19'", "marts.toll_audits", "one day"),
    (
        "UPDATE marts.toll_audits SET plates_read_count = 2",
        "marts.toll_audits",
        "a part of the seen",
    ),
    (
        "UPDATE marts.toll_audits SET vehicles_seen_count = 2",
        "marts.toll_audits",
        "no more than paid",
    ),
    (
        "UPDATE marts.toll_audits SET vehicles_seen_count = 41, plates_read_count = 20",
        "marts.toll_audits",
        "rates are plausible",
    ),
    (
        "DELETE FROM marts.toll_audits; UPDATE staging.passage_days SET station_id = 'g1'",
        "marts.toll_audits",
        "tolls and readers can be compared",
    ),
    (
        "UPDATE marts.through_trips SET month_date = '2026-11-01'",
        "marts.through_trips",
        "ended months alone",
    ),
    (
        "UPDATE marts.through_trips SET matched_ring_count = 26 WHERE matched_count = 30",
        "marts.through_trips",
        "small counts are suppressed",
    ),
    (
        "UPDATE marts.through_trips SET matched_count = 66 WHERE matched_count = 70",
        "marts.through_trips",
        "no total gives a small count away",
    ),
    (
        (
            "UPDATE marts.through_trips"
            " SET matched_ring_count = CASE matched_count WHEN 70 THEN 37 ELSE 0 END"
        ),
        "marts.through_trips",
        "no total gives a small count away",
    ),
    (
        "UPDATE marts.through_trips SET matched_count = NULL WHERE matched_count = 30",
        "marts.through_trips",
        "no total gives a small count away",
    ),
    (
        "UPDATE marts.through_trips SET matched_count = 60 WHERE matched_count = 70",
        "marts.through_trips",
        "pairs add up",
    ),
    (
        "UPDATE marts.through_trips SET matched_ring_count = 40",
        "marts.through_trips",
        "pairs add up",
    ),
    (
        "UPDATE marts.through_trips SET matched_count = NULL",
        "marts.through_trips",
        "hidden is hidden",
    ),
    (
        "UPDATE marts.through_trips SET diversion_share_low = 0.41",
        "marts.through_trips",
        "within its bounds",
    ),
    ("UPDATE marts.through_trips SET reason = 'few'", "marts.through_trips", "null has a reason"),
    (
        "UPDATE marts.through_trips SET exit_station_id = 'g1' WHERE matched_count = 70",
        "marts.through_trips",
        "pairs are of the cordon",
    ),
    (
        "UPDATE marts.through_trips SET diversion_share = NULL",
        "marts.through_trips",
        "some pair is told",
    ),
    (
        "UPDATE marts.through_trips SET city_minutes = 9 WHERE matched_count = 70",
        "marts.through_trips",
        "nobody flies",
    ),
    (
        "UPDATE marts.ring_road_restatements SET month_date = '2026-11-01'",
        "marts.ring_road_restatements",
        "ended months alone",
    ),
    (
        "UPDATE marts.ring_road_restatements SET before_date = '2026-11-20'",
        "marts.ring_road_restatements",
        "the night before is before",
    ),
    (
        "UPDATE marts.ring_road_restatements SET diversion_share = 0.41",
        "marts.ring_road_restatements",
        "as this night tells",
    ),
    (
        "UPDATE marts.ring_road_restatements SET passage_day_count = 30",
        "marts.ring_road_restatements",
        "as this night tells",
    ),
    (
        "UPDATE marts.ring_road_restatements SET passage_day_count_before = 30",
        "marts.ring_road_restatements",
        "the cause is named",
    ),
    (
        "UPDATE marts.ring_road_restatements SET diversion_share_before = 0.34",
        "marts.ring_road_restatements",
        "little is restated",
    ),
    (
        "UPDATE marts.ring_road_restatements SET diversion_share = NULL",
        "marts.ring_road_restatements",
        "little is restated",
    ),
    (
        "UPDATE marts.ring_road_restatements SET passage_day_count_before = 32",
        "marts.ring_road_restatements",
        "no day is lost",
    ),
    (
        "DELETE FROM marts.bus_emissions WHERE pollutant = 'PM10'",
        "marts.bus_emissions",
        "the fleet has rows",
    ),
    (
        "UPDATE marts.bus_emissions SET day_tonnes_high = 1.9 WHERE fuel_type = 'diesel'",
        "marts.bus_emissions",
        "parts sum to the whole",
    ),
    (
        (
            "UPDATE marts.bus_emissions SET day_tonnes_high = 2.0"
            " WHERE boundary = 'tailpipe and grid'"
        ),
        "marts.bus_emissions",
        "the boundary is named",
    ),
    (
        "UPDATE marts.bus_emissions SET day_tonnes_low = -0.1",
        "marts.bus_emissions",
        "only what is avoided is negative",
    ),
    (
        "UPDATE marts.bus_emissions SET known_trip_share = 0.9",
        "marts.bus_emissions",
        "lengths are known",
    ),
    (
        "UPDATE marts.main_streets SET street_count = 3 WHERE street_class = 'all'",
        "marts.main_streets",
        "every street counts once",
    ),
    (
        "UPDATE marts.main_streets SET opened_count_low = 2",
        "marts.main_streets",
        "range in order",
    ),
    ("DELETE FROM staging.published_levels", "staging.published_levels", "rows"),
    (
        "UPDATE staging.published_levels SET published_date = '2026-11-22'",
        "staging.published_levels",
        "nothing from the future",
    ),
    (
        "DELETE FROM staging.published_levels WHERE level_id = 'after'",
        "staging.published_levels",
        "pairs have two",
    ),
    (
        "UPDATE staging.published_levels SET station_id = 'k9'",
        "staging.published_levels",
        "stations are listed",
    ),
    (
        "DELETE FROM marts.ring_road_levels WHERE level_id = 'after'",
        "marts.ring_road_levels",
        "each statement has a row",
    ),
    (
        "UPDATE marts.ring_road_levels SET level_id = 'another' WHERE level_id = 'after'",
        "marts.ring_road_levels",
        "each statement has a row",
    ),
    (
        (
            "UPDATE marts.ring_road_levels SET published_vehicles_per_day = 801"
            " WHERE level_id = 'after'"
        ),
        "marts.ring_road_levels",
        "published as published",
    ),
    (
        "UPDATE marts.ring_road_levels SET published_qualifier = NULL",
        "marts.ring_road_levels",
        "published as published",
    ),
    (
        "UPDATE marts.ring_road_levels SET published_mark = 'measured'",
        "marts.ring_road_levels",
        "published as published",
    ),
    (
        "UPDATE marts.ring_road_levels SET vehicles_per_day = NULL",
        "marts.ring_road_levels",
        "null has a reason",
    ),
    (
        "UPDATE marts.ring_road_levels SET counted_day_count = 17",
        "marts.ring_road_levels",
        "days fit the period",
    ),
    (
        "UPDATE marts.ring_road_levels SET ratio_to_published = 0.49",
        "marts.ring_road_levels",
        "ours are of that size",
    ),
    (
        "DELETE FROM marts.sensor_health WHERE station_id = 'g1'",
        "marts.sensor_health",
        "every station is judged",
    ),
    (
        "UPDATE marts.sensor_health SET station_id = 'x' WHERE station_id = 'k1'",
        "marts.sensor_health",
        "every station is judged",
    ),
    (
        "UPDATE marts.sensor_health SET usable_day_count = 26 WHERE station_id = 'k1'",
        "marts.sensor_health",
        "weights are of days",
    ),
    (
        "UPDATE marts.sensor_health SET health_weight = 0",
        "marts.sensor_health",
        "no weight has a finding",
    ),
    (
        "UPDATE marts.sensor_health SET duplicate_of_station_id = 'x' WHERE station_id = 'k1'",
        "marts.sensor_health",
        "others are stations",
    ),
    (
        "UPDATE marts.sensor_health SET renamed_from_station_id = 'x' WHERE station_id = 'k1'",
        "marts.sensor_health",
        "others are stations",
    ),
    (
        "UPDATE marts.sensor_health SET health_weight = 0.4",
        "marts.sensor_health",
        "most sensors can be used",
    ),
    (
        "UPDATE marts.sensor_health SET clock_shift_hours = -1 WHERE station_id = 'k1'",
        "marts.sensor_health",
        "clocks are right",
    ),
    (
        "UPDATE marts.sensor_health SET findings = 'clocks of all stations moved by -1.0 h'",
        "marts.sensor_health",
        "clocks are right",
    ),
    (
        "DELETE FROM marts.station_aadt WHERE year_from_date = '2025-11-01'",
        "marts.station_aadt",
        "every station has its last year",
    ),
    (
        "UPDATE marts.station_aadt SET aadt_count = NULL",
        "marts.station_aadt",
        "null has a reason",
    ),
    (
        "UPDATE marts.station_aadt SET counted_cell_count = 71, filled_cell_count = 13",
        "marts.station_aadt",
        "little is filled",
    ),
    (
        "UPDATE marts.station_aadt SET counted_cell_count = 80",
        "marts.station_aadt",
        "little is filled",
    ),
    (
        "UPDATE marts.station_aadt SET left_out_day_count = 6",
        "marts.station_aadt",
        "days fit the year",
    ),
    (
        "UPDATE marts.station_aadt SET aadt_count = 330 WHERE vehicle_class = 'heavy'",
        "marts.station_aadt",
        "classes add up",
    ),
    (
        "UPDATE marts.station_aadt SET aadt_count = 400 WHERE year_from_date = '2025-01-01'",
        "marts.station_aadt",
        "no wild change",
    ),
    (
        "DELETE FROM marts.station_factors WHERE factor_number = 12",
        "marts.station_factors",
        "whole years and weeks",
    ),
    (
        "UPDATE marts.station_factors SET factor = 1.01 WHERE factor_number = 7",
        "marts.station_factors",
        "means of one",
    ),
    (
        "DELETE FROM marts.station_factors WHERE vehicle_class = 'heavy'",
        "marts.station_factors",
        "of a known year",
    ),
    (
        "UPDATE marts.station_factors SET station_id = 'g1' WHERE vehicle_class = 'heavy'",
        "marts.station_factors",
        "of a known year",
    ),
    (
        "UPDATE marts.station_factors SET factor = 0.1 WHERE factor_number = 7",
        "marts.station_factors",
        "no wild season",
    ),
    (
        "DELETE FROM marts.ring_road_effect WHERE place_id = 'g1'",
        "marts.ring_road_effect",
        "every place is answered",
    ),
    (
        "UPDATE marts.ring_road_effect SET reason = NULL",
        "marts.ring_road_effect",
        "null has a reason",
    ),
    (
        "UPDATE marts.ring_road_effect SET interrupted_ratio = 0.9",
        "marts.ring_road_effect",
        "no number beside a reason",
    ),
    (
        "UPDATE marts.ring_road_effect SET ratio_low = 0.91 WHERE place_id = 'k1'",
        "marts.ring_road_effect",
        "within its bounds",
    ),
    (
        "UPDATE marts.ring_road_effect SET p_value_adjusted = 0.04 WHERE place_id = 'k1'",
        "marts.ring_road_effect",
        "doubt grows with the number of tests",
    ),
    (
        "UPDATE marts.ring_road_effect SET tested_place_count = 2",
        "marts.ring_road_effect",
        "tests are counted",
    ),
    (
        "UPDATE marts.ring_road_effect SET plan_sha256 = repeat('1', 64) WHERE place_id = 'k1'",
        "marts.ring_road_effect",
        "one plan",
    ),
    (
        "UPDATE marts.ring_road_effect SET before_to_date = '2023-06-18'",
        "marts.ring_road_effect",
        "before is before and after is after",
    ),
    (
        "UPDATE marts.ring_road_effect SET after_to_date = '2026-11-22'",
        "marts.ring_road_effect",
        "before is before and after is after",
    ),
    (
        "UPDATE marts.ring_road_effect SET control_count = 19",
        "marts.ring_road_effect",
        "enough controls",
    ),
    (
        "UPDATE marts.ring_road_effect SET ratio = NULL",
        "marts.ring_road_effect",
        "some place is told",
    ),
    (
        "UPDATE marts.ring_road_effect SET ratio = 0.19 WHERE place_id = 'k1'",
        "marts.ring_road_effect",
        "no wild effect",
    ),
    ("DELETE FROM marts.commitment_targets", "marts.commitment_targets", "each target has a row"),
    (
        "UPDATE marts.commitment_targets SET outcome = 'not due'",
        "marts.commitment_targets",
        "due is past",
    ),
    (
        "UPDATE marts.commitment_targets SET published_date = '2026-11-21'",
        "marts.commitment_targets",
        "nothing from the future",
    ),
    (
        "DELETE FROM marts.commitments_status WHERE commitment_id = 'jams'",
        "marts.commitments_status",
        "each commitment has a row",
    ),
    (
        "UPDATE marts.commitments_status SET reason = NULL",
        "marts.commitments_status",
        "no data has a reason",
    ),
    (
        "UPDATE marts.commitments_status SET deadline_date = '2026-11-20'",
        "marts.commitments_status",
        "overdue is past",
    ),
    (
        "UPDATE marts.commitments_status SET status = 'met' WHERE commitment_id = 'diesel'",
        "marts.commitments_status",
        "met is met",
    ),
    (
        "UPDATE marts.commitments_status SET measured_date = '2026-11-21'",
        "marts.commitments_status",
        "nothing from the future",
    ),
    (
        "DELETE FROM marts.reach_inputs WHERE mode_set = 'bus'",
        "marts.reach_inputs",
        "a row for each mode set",
    ),
    (
        "DELETE FROM marts.opportunities_reached WHERE inputs_id = repeat('b', 32)",
        "marts.reach_inputs",
        "what they reach is there",
    ),
    (
        "UPDATE marts.reach_inputs SET inputs_id = NULL WHERE mode_set = 'all'",
        "marts.reach_inputs",
        "weekdays have trips",
    ),
    (
        "DELETE FROM marts.travel_times WHERE origin_cell_id = '3' AND inputs_id = repeat('a', 32)",
        "marts.travel_times",
        "each cell is at itself",
    ),
    (
        "DELETE FROM marts.opportunities_reached WHERE cell_id = '3' AND percentile = 25",
        "marts.opportunities_reached",
        "a row for each cell, threshold and percentile",
    ),
    (
        "UPDATE marts.opportunities_reached SET opportunity_type = 'jobs'",
        "marts.opportunities_reached",
        "people are counted",
    ),
    (
        "UPDATE marts.opportunities_reached SET reached_count = 1 WHERE threshold_minutes = 60",
        "marts.opportunities_reached",
        "more time reaches more",
    ),
    (
        "DELETE FROM marts.accessibility WHERE percentile = 75",
        "marts.accessibility",
        "rows of the city",
    ),
    (
        "UPDATE marts.accessibility SET reached_share = 0.9 WHERE mode_set = 'bus'",
        "marts.accessibility",
        "shares are quotients",
    ),
    (
        "UPDATE marts.accessibility SET reached_count = 900 WHERE mode_set = 'bus'",
        "marts.accessibility",
        "all modes reach most",
    ),
    (
        "UPDATE marts.accessibility SET reached_count = if(mode_set = 'step-free known', 300, 200)",
        "marts.accessibility",
        "step-free bounds in order",
    ),
    (
        "DELETE FROM marts.metro_contribution WHERE threshold_minutes = 45",
        "marts.metro_contribution",
        "rows of the city",
    ),
    (
        "UPDATE marts.metro_contribution SET added_count = 100",
        "marts.metro_contribution",
        "what is added is the difference",
    ),
    (
        "DELETE FROM marts.reach_change WHERE scope_id = 'north'",
        "marts.reach_change",
        "all scopes are told of",
    ),
    (
        "UPDATE marts.reach_change SET stops_change = 21 WHERE scope_id = 'north'",
        "marts.reach_change",
        "parts make the change",
    ),
    (
        "UPDATE marts.reach_change SET method_change = -46 WHERE scope_type = 'city'",
        "marts.reach_change",
        "little is method",
    ),
]
BREAKS += [
    ("DELETE FROM staging.street_nodes", "staging.street_nodes", "rows"),
    (
        "UPDATE staging.street_nodes SET source_id = 'more' WHERE node_index = 1",
        "staging.street_nodes",
        "in one source",
    ),
    ("UPDATE staging.street_nodes SET latitude = 45", "staging.street_nodes", "near the stops"),
    ("UPDATE staging.street_links SET to_index = 2", "staging.street_links", "ends are known"),
    (
        (
            "INSERT INTO staging.street_nodes BY NAME SELECT 'streets' AS source_id,"
            " 'x1' AS version_id, 2 AS node_index"
        ),
        "staging.street_links",
        "nodes are linked",
    ),
    ("DELETE FROM staging.opportunities", "staging.opportunities", "rows"),
    (
        "UPDATE staging.opportunities SET opportunity_count = 0",
        "staging.opportunities",
        "some of each",
    ),
    (
        (
            "INSERT INTO staging.opportunities BY NAME"
            " SELECT * REPLACE ('more' AS source_id) FROM staging.opportunities"
        ),
        "staging.opportunities",
        "types in one source",
    ),
    (
        "UPDATE staging.opportunities SET longitude = 78",
        "staging.opportunities",
        "near the residents",
    ),
]
for _entities in ("staging.vehicle_positions", "staging.trip_updates"):
    BREAKS += [
        (f"DELETE FROM {_entities}", _entities, "rows"),
        (f"UPDATE {_entities} SET captured_at = '2026-11-17 23:59:59+00'", _entities, "fresh"),
        (f"UPDATE {_entities} SET captured_at = NULL", _entities, "fresh"),
        (
            f"UPDATE {_entities} SET trip_id = 'x' WHERE trip_id = 't1'",
            _entities,
            "trips are known",
        ),
        (f"UPDATE {_entities} SET route_id = 'x'", _entities, "routes are known"),
        (f"UPDATE {_entities} SET stop_id = 'x'", _entities, "stops are known"),
    ]
BREAKS += [
    (
        "UPDATE staging.vehicle_positions SET measured_at = '2026-11-20 10:01:01+00'",
        "staging.vehicle_positions",
        "measured before captured",
    ),
    (
        "UPDATE staging.vehicle_positions SET measured_at = '2026-11-20 09:49:59+00'",
        "staging.vehicle_positions",
        "most are current",
    ),
    (
        "UPDATE staging.vehicle_positions SET vehicle_id = 'bus 7'",
        "staging.vehicle_positions",
        "a vehicle once",
    ),
    (
        "UPDATE staging.vehicle_positions SET longitude = 77.5 WHERE entity_id = '1'",
        "staging.vehicle_positions",
        "none far off",
    ),
    (
        "UPDATE staging.trip_updates SET entity_number = stop_time_update_number + 1",
        "staging.trip_updates",
        "one update per trip",
    ),
    (
        "UPDATE staging.trip_updates SET schedule_relationship = NULL",
        "staging.trip_updates",
        "updates tell stops",
    ),
    (
        (
            "UPDATE staging.trip_updates SET arrival_at = '2026-11-20 10:00:59+00'"
            " WHERE stop_time_update_number = 2"
        ),
        "staging.trip_updates",
        "time goes on",
    ),
]
for _mart in ("marts.access_typology", "marts.ptal"):
    BREAKS += [
        (
            f"UPDATE {_mart} SET residents_count = 301 WHERE residents_count = 300",
            _mart,
            "all residents have a class",
        ),
        (f"UPDATE {_mart} SET residents_count = 0", _mart, "all residents have a class"),
        (
            f"DELETE FROM {_mart} WHERE scope_id = 'north' AND residents_count = 100",
            _mart,
            "one city and each district",
        ),
        (f"DELETE FROM {_mart} WHERE scope_type = 'city'", _mart, "one city and each district"),
        (f"UPDATE {_mart} SET residents_share = NULL", _mart, "null has a reason"),
    ]
BREAKS += [
    (
        "UPDATE marts.access_typology SET residents_count = 0 WHERE access_class = 'high'",
        "marts.access_typology",
        "some live near a stop",
    ),
    (
        "UPDATE marts.ptal SET residents_count = 0 WHERE ptal_band = '3'",
        "marts.ptal",
        "some live near a route",
    ),
    ("DELETE FROM marts.cell_access", "marts.cell_access", "each cell once"),
    (
        "UPDATE staging.population_cells SET cell_id = '5' WHERE cell_id = '4'",
        "marts.cell_access",
        "each cell once",
    ),
    (
        "UPDATE marts.cell_access SET metro_walk_m = NULL WHERE cell_id = '1'",
        "marts.cell_access",
        "as many as reach counts",
    ),
    (
        "UPDATE marts.cell_access SET bus_walk_m = 500 WHERE cell_id = '2'",
        "marts.cell_access",
        "as many as reach counts",
    ),
    (
        "UPDATE marts.metro_reach SET residents_unlinked_count = 101",
        "marts.cell_access",
        "most live near a street",
    ),
    (
        "DELETE FROM marts.reach_equity WHERE figure_table = 'marts.rail_reach'",
        "marts.reach_equity",
        "a row for each figure",
    ),
    (
        "UPDATE marts.reach_equity SET worst_share = 0.3",
        "marts.reach_equity",
        "the ends are the figure's",
    ),
    (
        "UPDATE marts.reach_equity SET best_share = NULL",
        "marts.reach_equity",
        "the ends are the figure's",
    ),
    (
        "UPDATE marts.reach_equity SET reach_gini = NULL",
        "marts.reach_equity",
        "null has a reason",
    ),
    (
        (
            "UPDATE marts.rail_reach SET day_type = 'weekday', served_stop_count = 0;"
            " UPDATE staging.routes SET route_type = 2 WHERE route_id = 'r1'"
        ),
        "marts.rail_reach",
        "trains run",
    ),
    (
        "UPDATE staging.routes SET route_type = 109 WHERE route_id = 'r1'",
        "marts.suburban_rail",
        "routes are known",
    ),
    (_ONE_WAY, "marts.suburban_rail", "routes are known"),
    (_ONE_WAY, "marts.suburban_rail", "both ways"),
    (
        f"{_ONE_WAY}; UPDATE marts.suburban_rail SET train_count = 0",
        "marts.suburban_rail",
        "trains add up",
    ),
]
for _mart in ("marts.metro_reach", "marts.bus_reach", "marts.rail_reach"):
    _city = "scope_type = 'city'"
    BREAKS += [
        (f"DELETE FROM {_mart}", _mart, "one row for the city"),
        (
            f"UPDATE {_mart} SET scope_id = 'west' WHERE scope_id = 'north'",
            _mart,
            "a row for each district",
        ),
        (
            f"UPDATE {_mart} SET residents_count = 999 WHERE {_city}",
            _mart,
            "all residents are counted",
        ),
        (
            f"UPDATE {_mart} SET residents_within_count = 501 WHERE scope_id = 'south'",
            _mart,
            "districts within the city",
        ),
        (
            f"UPDATE {_mart} SET residents_count = 1 WHERE scope_type = 'district'",
            _mart,
            "most residents have a district",
        ),
        (
            f"UPDATE {_mart} SET reach_share = 0.51 WHERE {_city}",
            _mart,
            "shares are quotients",
        ),
        (f"UPDATE {_mart} SET reach_share = NULL", _mart, "null has a reason"),
        (f"UPDATE {_mart} SET residents_within_high = 1", _mart, "bounds in order"),
        (f"UPDATE {_mart} SET unlinked_stop_count = 1", _mart, "stops are linked"),
        (
            f"UPDATE {_mart} SET official_population = 1500 WHERE {_city}",
            _mart,
            "near the official population",
        ),
    ]


def open_lake() -> duckdb.DuckDBPyConnection:
    """Every table of the flow under its contract's DDL, empty."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA staging; CREATE SCHEMA marts")
    for table in flow.TABLES:
        connection.execute(create_table_sql(table.name, load_contract(table)))
    return connection


@pytest.fixture(scope="module")
def toy_lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """The toy night, once for all tests."""
    with open_lake() as connection:
        connection.execute(TOY_NIGHT.read_text("utf-8"))
        yield connection


@pytest.fixture
def toy(toy_lake: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The toy night; what a test breaks is taken back."""
    toy_lake.execute("BEGIN")
    yield toy_lake
    toy_lake.execute("ROLLBACK")


def failing(
    connection: duckdb.DuckDBPyConnection, kinds: frozenset[str] = ALL_KINDS
) -> set[tuple[str, str]]:
    """(Table, name) of all expectations that fail."""
    return {
        (table_name, expectation.name)
        for table_name, expectations in EXPECTED.items()
        for expectation in expectations
        if kinds.issuperset(expectation.if_sources) and fails(connection, table_name, expectation)
    }


def fails(connection: duckdb.DuckDBPyConnection, table_name: str, expectation: Expectation) -> bool:
    """Whether an expectation fails, asked of DuckDB itself, without Great Expectations."""
    if expectation.sql is not None:
        sql = expectation.sql.replace("{service_date}", f"DATE '{NIGHT}'")
        return connection.execute(with_checked(table_name, sql)).fetchone() is not None
    assert expectation.expectation == "ExpectTableRowCountToBeBetween"
    count = connection.execute(f"SELECT count(*) FROM {table_name}").fetchone()
    assert count is not None
    return bool(count[0] < expectation.kwargs["min_value"])


@pytest.mark.slow
def test_samples_name_each_column_once(toy: duckdb.DuckDBPyConnection) -> None:
    for table_name, expectations in EXPECTED.items():
        for expectation in expectations:
            if expectation.sql is not None:
                checked = f"WITH checked AS (SELECT * FROM {table_name}) "
                sql = expectation.sql.replace("{service_date}", f"DATE '{NIGHT}'")
                answer = toy.execute(f"{checked} SELECT * FROM ({sql}) AS failing")
                names = [str(column[0]) for column in answer.description]
                assert not [n for n in names if n.endswith(("_1", ":1"))], (table_name, names)


def test_every_table_has_its_file_and_every_file_a_table() -> None:
    files = {path.stem for path in FOLDER.iterdir()}
    assert files == {table.name for table in flow.TABLES} | INCLUDED
    assert all(EXPECTED.values())


def test_every_expectation_is_broken_by_a_test() -> None:
    broken = {(table_name, name) for _, table_name, name in BREAKS}
    assert broken == {
        (table_name, expectation.name)
        for table_name, expectations in EXPECTED.items()
        for expectation in expectations
    }


@pytest.mark.slow
def test_a_sound_night_meets_all_expectations(toy: duckdb.DuckDBPyConnection) -> None:
    assert failing(toy) == set()


@pytest.mark.parametrize(("change", "table_name", "name"), BREAKS)
def test_what_is_broken_is_found(
    toy: duckdb.DuckDBPyConnection, change: str, table_name: str, name: str
) -> None:
    toy.execute(change)
    expectation = next(e for e in EXPECTED[table_name] if e.name == name)
    assert fails(toy, table_name, expectation)


@pytest.mark.slow
def test_a_night_whose_readings_are_deleted_is_not_held_back(
    toy: duckdb.DuckDBPyConnection,
) -> None:
    for table in flow.TABLES:
        if table.personal:
            toy.execute(f"DELETE FROM {table.name}")
    severities = {
        (table_name, expectation.name): expectation.severity
        for table_name, expectations in EXPECTED.items()
        for expectation in expectations
    }
    assert {severities[found] for found in failing(toy)} == {"warning"}


@pytest.mark.slow
def test_a_city_without_sources_is_not_blamed_for_them() -> None:
    with open_lake() as empty:
        found = failing(empty, frozenset())
    assert {name for name in found if name[0].startswith("staging")} == set()


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(ALL_KINDS))
def test_a_city_may_lack_any_source(toy: duckdb.DuckDBPyConnection, kind: str) -> None:
    for table in flow.staging_tables(kind):
        toy.execute(f"DELETE FROM {table.name}")
    critical = {
        (table_name, expectation.name)
        for table_name, expectations in EXPECTED.items()
        for expectation in expectations
        if expectation.severity == "critical" and table_name.startswith("staging")
    }
    assert failing(toy, ALL_KINDS - {kind}).isdisjoint(critical)


@pytest.mark.slow
def test_great_expectations_runs_them_all(toy_lake: duckdb.DuckDBPyConnection) -> None:
    results = run_checks(toy_lake, audit_tables(flow.TABLES, FOLDER, ALL_KINDS, EXPECTED), NIGHT)
    assert [r for r in results if not r.is_run] == []
    # The toy night leaves columns null that no expectation reads.
    null = "contract: not_null"
    failed = [r for r in results if not r.is_passed and r.check_name != null]
    assert failed == []
    assert len(results) > 300


def test_an_expectation_of_a_kind_that_the_city_lacks_is_left_out() -> None:
    with_fleet, without = (
        audit_tables([flow.table("staging.vehicles")], FOLDER, kinds, EXPECTED)[0].expectations
        for kinds in (ALL_KINDS, ALL_KINDS - {"fleet"})
    )
    assert {e.name for e in with_fleet} - {e.name for e in without} == {"rows"}


def test_an_expectation_of_a_figure_that_the_city_lacks_is_left_out() -> None:
    inputs = flow.table("marts.reach_inputs")
    left_out = {}
    for figure in ("opportunities_reached", "travel_times"):
        made = {table.name for table in flow.needed([f"marts.{figure}"])}
        (found,) = audit_tables([inputs], FOLDER, ALL_KINDS, made)
        left_out[figure] = {e.name for e in EXPECTED[inputs.name]}.difference(
            e.name for e in found.expectations
        )
    assert left_out == {
        "opportunities_reached": set(),
        "travel_times": {"what they reach is there"},
    }


GOOD = 'name = "n"\ndescription = "d"\nseverity = "critical"\nsql = "SELECT 1"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expect: Field required"),
        ("expect = []", "expect: List should have at least 1 item"),
        ("[[expect]\n", "can't be read as TOML"),
        ("[[expect]]\n" + GOOD + "serverity = 1", r"expect\[1\].serverity: Extra inputs"),
        ("[[expect]]\n" + GOOD.replace("critical", "fatal"), r"expect\[1\].severity: Input should"),
        ("[[expect]]\n" + GOOD.replace('"d"', '" "'), r"expect\[1\].description: String should"),
        ("[[expect]]\n" + GOOD + "[[expect]]\n" + GOOD, "names occur twice: n"),
        ("[[expect]]\n" + GOOD + 'expectation = "x"', "give one of 'sql' and 'expectation'"),
        ("[[expect]]\n" + GOOD.replace("sql", "# sql"), "give one of 'sql' and 'expectation'"),
        ("[[expect]]\n" + GOOD + "kwargs = {a = 1}", "'kwargs' belong to 'expectation'"),
        ("[[expect]]\n" + GOOD + 'if_sources = ["bus"]', "unknown source kinds .*: bus"),
        (
            "[[expect]]\n" + GOOD.replace("sql =", "expectation ="),
            "'SELECT 1' is not one of ExpectColumn",
        ),
        ("include = 'gone'\n[[expect]]\n" + GOOD, r"There is no .*gone\.toml"),
    ],
)
def test_a_wrong_file_is_reported_with_the_place(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "marts.x.toml").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=fault):
        load_expectations(tmp_path, "marts.x")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no .*marts\.x\.toml"):
        load_expectations(tmp_path, "marts.x")
