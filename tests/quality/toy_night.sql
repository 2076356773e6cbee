-- A night small enough to check by eye: every expectation of every table holds. 2026-11-20 is a
-- Friday. Columns that no expectation reads are left null.
INSERT INTO staging.feed_versions BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 2 AS trip_count, 4 AS stop_time_count,
        DATE '2026-01-01' AS service_start_date, DATE '2026-12-31' AS service_end_date;
INSERT INTO staging.feed_notices BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'odd_case' AS notice_code, 'trips.txt' AS file_name,
        'ERROR' AS severity, 1 AS affected_count;
INSERT INTO staging.feed_rules BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'odd_case' AS rule_code, 'fail' AS rule_status;
INSERT INTO staging.agency BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'a' AS agency_id, 'Asia/Almaty' AS agency_timezone;
INSERT INTO staging.stops BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('s1', 43.20, 76.90, NULL), ('s2', 43.21, 76.91, 's1'))
    AS rows (stop_id, stop_lat, stop_lon, parent_station);
INSERT INTO staging.routes BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('r3', 'a', '3', 3), ('r1', 'a', 'M', 1))
    AS rows (route_id, agency_id, route_short_name, route_type);
-- t1 runs on working days, t2 on a day added to its service.
INSERT INTO staging.trips BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('t1', 'r3', 'work', 'l1'), ('t2', 'r1', 'extra', NULL))
    AS rows (trip_id, route_id, service_id, shape_id);
INSERT INTO staging.stop_times BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('t1', 1, 's1', 100, 110), ('t1', 2, 's2', 200, 200),
        ('t2', 1, 's2', NULL, 300), ('t2', 2, 's1', 400, NULL))
    AS rows (trip_id, stop_sequence, stop_id, arrival_seconds, departure_seconds);
INSERT INTO staging.frequencies BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 't1' AS trip_id, * FROM (VALUES
        (0, 600), (600, 900))
    AS rows (start_seconds, end_seconds);
INSERT INTO staging.transfers BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        (2, 's1', 's2', NULL, NULL), (3, NULL, NULL, 't1', 't2'))
    AS rows (transfer_number, from_stop_id, to_stop_id, from_trip_id, to_trip_id);
INSERT INTO staging.pathways BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'p1' AS pathway_id,
        's1' AS from_stop_id, 's2' AS to_stop_id;
INSERT INTO staging.shapes BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'l1' AS shape_id, * FROM (VALUES
        (1, 0.0), (2, 5.0))
    AS rows (shape_pt_sequence, shape_dist_traveled);
INSERT INTO staging.calendar BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 'work' AS service_id,
        true AS monday, true AS tuesday, true AS wednesday, true AS thursday, true AS friday,
        false AS saturday, false AS sunday,
        DATE '2026-11-16' AS start_date, DATE '2026-11-22' AS end_date;
INSERT INTO staging.calendar_dates BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('work', DATE '2026-11-16', 2), ('extra', DATE '2026-11-20', 1))
    AS rows (service_id, "date", exception_type);
INSERT INTO staging.service_dates BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('work', DATE '2026-11-17'), ('work', DATE '2026-11-18'), ('work', DATE '2026-11-19'),
        ('work', DATE '2026-11-20'), ('extra', DATE '2026-11-20'))
    AS rows (service_id, service_date);

-- Three vehicles serve, one of them in reserve; one is retired.
INSERT INTO staging.vehicles BY NAME
    SELECT 'fleet' AS source_id, 'f1' AS version_id, false AS has_year_only_date, * FROM (VALUES
        ('1', 'diesel', DATE '2015-01-01', NULL), ('2', 'cng', DATE '2020-01-01', NULL),
        ('3', 'cng', DATE '2020-01-01', NULL), ('4', 'diesel', DATE '2010-01-01', DATE '2026-11-20'))
    AS rows (vehicle_id, fuel_type, in_service_date, retirement_date);
-- A register with dates tells of one vehicle that it became a gas bus.
INSERT INTO staging.vehicle_states BY NAME
    SELECT 'dated' AS source_id, 'd1' AS version_id, '1' AS vehicle_id, * FROM (VALUES
        ('diesel', DATE '2020-01-01', DATE '2021-01-01'), ('cng', DATE '2021-01-01', NULL))
    AS rows (fuel_type, valid_from_date, valid_to_date);
-- As the night knows them; until the night before, the last vehicle was taken to serve on.
INSERT INTO marts.vehicle_history BY NAME
    SELECT 'fleet' AS source_id, 'entry' AS opened_by, * FROM (VALUES
        ('1', 'diesel', DATE '2015-01-01', NULL, NULL, DATE '2026-11-01', NULL),
        ('2', 'cng', DATE '2020-01-01', NULL, NULL, DATE '2026-11-01', NULL),
        ('3', 'cng', DATE '2020-01-01', NULL, NULL, DATE '2026-11-01', NULL),
        ('4', 'diesel', DATE '2010-01-01', NULL, NULL, DATE '2026-11-01', DATE '2026-11-20'),
        ('4', 'diesel', DATE '2010-01-01', DATE '2026-11-20', 'retirement', DATE '2026-11-20', NULL))
    AS rows (vehicle_id, fuel_type, valid_from_date, valid_to_date, closed_by, known_from_date,
        known_to_date);
INSERT INTO staging.count_stations BY NAME
    SELECT 'stations' AS source_id, 'c1' AS version_id, * FROM (VALUES
        ('k1', 'cordon'), ('k2', 'cordon'), ('g1', 'ring'))
    AS rows (station_id, role);
INSERT INTO staging.count_station_hours BY NAME
    SELECT 'counts' AS source_id, 'd1' AS version_id, 'k1' AS station_id, 'heavy' AS vehicle_class,
        TIMESTAMPTZ '2026-11-19 00:00:00+00' + INTERVAL (hour) HOUR AS hour_at,
        CASE WHEN hour <> 5 THEN hour END AS vehicle_count
    FROM range(24) AS hours (hour);
INSERT INTO staging.count_station_days BY NAME
    SELECT 'counts' AS source_id, 'd1' AS version_id, 'k1' AS station_id, 'heavy' AS vehicle_class,
        DATE '2026-11-19' AS service_date, 271 AS vehicle_count, 24 AS day_hour_count,
        23 AS counted_hour_count, 1 AS null_hour_count, 1 AS zero_hour_count,
        15.9 AS mean_clock_hour;
INSERT INTO staging.passages BY NAME
    SELECT 'passages' AS source_id, 'p1' AS version_id, 'k1' AS station_id,
        TIMESTAMPTZ '2026-11-20 10:00:00+00' AS passed_at, * FROM (VALUES
        (1, '0123456789abcdef'), (2, NULL))
    AS rows (passage_number, plate_hash);
INSERT INTO staging.passage_days BY NAME
    SELECT 'passages' AS source_id, 'p1' AS version_id, 'k1' AS station_id,
        DATE '2026-11-20' AS passed_date, 2 AS reading_count, 1 AS unread_count,
        1 AS undirected_count;
-- Of another file the passages are deleted, and the days stay.
INSERT INTO staging.passage_days BY NAME
    SELECT 'passages' AS source_id, 'p0' AS version_id, 'k2' AS station_id,
        DATE '2026-11-20' AS passed_date, 60 AS reading_count, 0 AS unread_count,
        0 AS undirected_count;
INSERT INTO staging.toll_transactions BY NAME
    SELECT 'tolls' AS source_id, 'y1' AS version_id, 'g1' AS station_id,
        TIMESTAMPTZ '2026-11-20 10:30:00+00' AS paid_at, * FROM (VALUES
        (1, '0123456789abcdef'), (2, NULL))
    AS rows (transaction_number, plate_hash);
INSERT INTO staging.toll_days BY NAME
    SELECT 'tolls' AS source_id, 'y1' AS version_id, 'g1' AS station_id,
        DATE '2026-11-20' AS passed_date, 2 AS transaction_count, 1 AS unread_count;
INSERT INTO staging.read_audits BY NAME
    SELECT 'audits' AS source_id, 'q1' AS version_id, 'k1' AS station_id, DATE '2026-11-19' AS audit_date,
        8 AS hour_of_day, 100 AS vehicles_seen_count, 85 AS plates_read_count;
INSERT INTO staging.population_cells BY NAME
    SELECT 'people' AS source_id, 'g1' AS version_id, * FROM (VALUES
        ('1', 43.20, 76.90, 400.0), ('2', 43.25, 76.95, 300.0),
        ('3', 43.20, 76.95, 200.0), ('4', 43.25, 76.90, 100.0))
    AS rows (cell_id, latitude, longitude, population_p50);
INSERT INTO staging.districts BY NAME
    SELECT 'districts' AS source_id, 'h1' AS version_id, false AS is_geometry_repaired, * FROM (VALUES
        ('north', 'North', 43.25, 76.95), ('south', 'South', 43.20, 76.90))
    AS rows (district_id, district_name, latitude, longitude);
INSERT INTO staging.street_nodes BY NAME
    SELECT 'streets' AS source_id, 'x1' AS version_id, * FROM (VALUES
        (0, 43.20, 76.90), (1, 43.21, 76.91))
    AS rows (node_index, latitude, longitude);
INSERT INTO staging.street_links BY NAME
    SELECT 'streets' AS source_id, 'x1' AS version_id, 0 AS link_index,
        0 AS from_index, 1 AS to_index, 1400 AS length_m;
INSERT INTO staging.opportunities BY NAME
    SELECT 'schools' AS source_id, 'o1' AS version_id, 'o1' AS place_id,
        'schools' AS opportunity_type, 43.20 AS latitude, 76.90 AS longitude,
        1 AS opportunity_count;
INSERT INTO staging.commitments BY NAME
    SELECT 'promises' AS source_id, 'i1' AS version_id, * FROM (VALUES ('diesel', 1), ('jams', 2))
    AS rows (commitment_id, rank);
INSERT INTO staging.announced_targets BY NAME
    SELECT 'promises' AS source_id, 'i1' AS version_id, 'no-diesel' AS target_id,
        'diesel' AS commitment_id, DATE '2022-11-16' AS announced_date;
INSERT INTO staging.street_works BY NAME
    SELECT 'works' AS source_id, 'w1' AS version_id, * FROM (VALUES
        ('abai', 'radial', 'open', DATE '2026-08-31'), ('nameless', 'internal', NULL, NULL))
    AS rows (work_id, street_class, stage, stage_date);
-- The cordon's station as it was published: "over 1,000" before, "about 800" after.
INSERT INTO staging.published_levels BY NAME
    SELECT 'told' AS source_id, 'l1' AS version_id, 'k1' AS station_id, 'k' AS pair_id,
        DATE '2025-06-17' AS published_date, * FROM (VALUES
        ('before', DATE '2023-06-01', DATE '2023-06-15', 1000, 'over'),
        ('after', DATE '2023-07-16', DATE '2023-07-31', 800, 'about'))
    AS rows (level_id, period_from_date, period_to_date, vehicles_per_day, qualifier);
-- A vehicle on trip t1, and what is foretold of it: two calls; t2 is cancelled.
INSERT INTO staging.vehicle_positions BY NAME
    SELECT 'positions' AS source_id, 'p1' AS version_id,
        TIMESTAMPTZ '2026-11-20 10:00:00+00' AS captured_at,
        TIMESTAMPTZ '2026-11-20 09:59:30+00' AS measured_at, * FROM (VALUES
        ('1', 't1', 'r3', 's1', 'bus 7', 43.205, 76.905), ('2', NULL, NULL, NULL, 'bus 8', NULL, NULL))
    AS rows (entity_id, trip_id, route_id, stop_id, vehicle_id, latitude, longitude);
INSERT INTO staging.trip_updates BY NAME
    SELECT 'updates' AS source_id, 'u1' AS version_id,
        TIMESTAMPTZ '2026-11-20 10:00:00+00' AS captured_at, * FROM (VALUES
        ('1', 1, 1, 't1', 'r3', 'SCHEDULED', 's1', TIMESTAMPTZ '2026-11-20 10:01:00+00'),
        ('1', 1, 2, 't1', 'r3', 'SCHEDULED', 's2', TIMESTAMPTZ '2026-11-20 10:03:00+00'),
        ('2', 2, 0, 't2', 'r1', 'CANCELED', NULL, NULL))
    AS rows (entity_id, entity_number, stop_time_update_number, trip_id, route_id,
        schedule_relationship, stop_id, arrival_at);

INSERT INTO marts.trip_stats BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, 2 AS stop_count, 30.0 AS speed_kmh, * FROM (VALUES
        ('t1', 'work', 'r3', 90, 15), ('t2', 'extra', 'r1', 100, 1))
    AS rows (trip_id, service_id, route_id, duration_seconds, departure_count);
INSERT INTO marts.trip_patterns BY NAME
    SELECT 'bus' AS source_id, 'b1' AS version_id, * FROM (VALUES
        ('t1', 'h1', 'p1', '1111100'), ('t2', 'h2', 'p2', '0000000'))
    AS rows (trip_id, stops_by_id_hash, stops_by_place_hash, weekdays);
-- The feed's second night: tonight b1 took over from b0, which had one route and one stop.
INSERT INTO marts.governing_versions BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, *,
        to_date - from_date + 1 AS day_count FROM (VALUES
        (DATE '2026-11-19', DATE '2026-11-19', 'b0', false),
        (DATE '2026-11-20', DATE '2026-12-31', 'b1', false),
        (DATE '2027-01-01', DATE '2027-01-19', 'b1', true))
    AS rows (from_date, to_date, version_id, is_assumed);
INSERT INTO marts.feed_health BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b1' AS version_id,
        false AS is_assumed, false AS is_stale, 41 AS days_left_count, 7 AS lead_days_count,
        0 AS newest_age_days_count;
INSERT INTO marts.feed_changes BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b0' AS before_version_id,
        'b1' AS after_version_id, 'id' AS matched_by, * FROM (VALUES
        ('routes', 1, 2, 1, 0, 0, 1, NULL, NULL, NULL, NULL),
        ('stops', 1, 2, 1, 0, 1, 0, NULL, NULL, NULL, NULL),
        ('trips', 1, 2, 2, 1, 0, 0, NULL, NULL, NULL, NULL),
        ('patterns', 2, 2, 0, 0, 0, 2, NULL, NULL, NULL, NULL),
        ('vehicle_km', 2, 1, 0, 1, 1, 0, 10.0, 9.0, 1.0, 2.0))
    AS rows (table_name, before_count, after_count, added_count, removed_count, changed_count,
        kept_count, km_before, km_after, km_gained, km_lost);
INSERT INTO marts.feed_change_rows BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, * FROM (VALUES
        ('routes', 'r1', 'added', 0, 1), ('stops', 's2', 'added', 0, 1),
        ('stops', 's1', 'changed', 1, 1), ('trips', 't1', 'added', 0, 1),
        ('trips', 't2', 'added', 0, 1), ('trips', 't0', 'removed', 1, 0),
        ('vehicle_km', 'r3', 'changed', 2, 3), ('vehicle_km', 'r1', 'removed', 1, 0))
    AS rows (table_name, key, change, count_before, count_after);
INSERT INTO marts.route_stats BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b1' AS version_id,
        1 AS trip_count, 30.0 AS service_speed_kmh, * FROM (VALUES
        ('r3', 15, 110, 200, 110, 200), ('r1', 1, 300, 400, 300, 400))
    AS rows (route_id, departure_count, start_seconds, end_seconds, peak_start_seconds, peak_end_seconds);
INSERT INTO marts.stop_stats BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b1' AS version_id,
        2 AS trip_count, * FROM (VALUES ('s1', 110, 110), ('s2', 200, 300))
    AS rows (stop_id, start_seconds, end_seconds);
INSERT INTO marts.feed_quality BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b1' AS version_id,
        'odd_case' AS notice_code, 'ERROR' AS severity, 'WARNING' AS effective_severity,
        false AS stops_feed, 'A. Person' AS overridden_by,
        DATE '2026-11-21' AS override_expires_date, 1 AS affected_count;
-- t2 leaves s2 at 00:05; t1 is repeated at a headway that nobody knows.
INSERT INTO marts.stop_departures BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'bus' AS source_id, 'b1' AS version_id,
        's2' AS stop_id, TIMESTAMPTZ '2026-11-19 19:00:00+00' AS hour_at, 0 AS local_hour,
        1 AS departure_count, 0 AS past_midnight_count, 0 AS interpolated_count;
INSERT INTO marts.metro_reach BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'exact' AS population_precision, * FROM (VALUES
        ('city', 'town', 2, 1000.0, 500.0, 0.5, 1100),
        ('district', 'north', 1, 400.0, 100.0, 0.25, 500),
        ('district', 'south', 1, 600.0, 400.0, 0.666667, 600))
    AS rows (scope_type, scope_id, served_stop_count, residents_count, residents_within_count,
        reach_share, official_population);
INSERT INTO marts.bus_reach BY NAME SELECT * FROM marts.metro_reach;
INSERT INTO marts.rail_reach BY NAME SELECT * FROM marts.metro_reach;
-- Cells 1 and 3 lie in the south, 2 and 4 in the north; 1 and 4 are near stops of both modes.
INSERT INTO marts.cell_access BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'people' AS source_id, * FROM (VALUES
        ('1', 'south', 400.0, 900.0, 400.0), ('2', 'north', 300.0, NULL, NULL),
        ('3', 'south', 200.0, NULL, NULL), ('4', 'north', 100.0, 800.0, 300.0))
    AS rows (cell_id, district_id, population_p50, metro_walk_m, bus_walk_m);
INSERT INTO marts.access_typology BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'weekday' AS day_type, * FROM (VALUES
        ('city', 'town', 'high', 500.0, 0.5), ('city', 'town', 'none', 500.0, 0.5),
        ('district', 'north', 'high', 100.0, 0.25), ('district', 'north', 'none', 300.0, 0.75),
        ('district', 'south', 'high', 400.0, 0.67), ('district', 'south', 'none', 200.0, 0.33))
    AS rows (scope_type, scope_id, access_class, residents_count, residents_share);
INSERT INTO marts.ptal BY NAME
    SELECT * EXCLUDE (access_class),
        CASE access_class WHEN 'high' THEN '3' ELSE '0' END AS ptal_band
    FROM marts.access_typology;
INSERT INTO marts.reach_equity BY NAME
    SELECT DATE '2026-11-20' AS service_date, figure_table, 0.25 AS worst_share,
        0.666667 AS best_share, 0.2 AS reach_gini
    FROM (VALUES ('marts.metro_reach'), ('marts.bus_reach'), ('marts.rail_reach'))
    AS figures (figure_table);
INSERT INTO marts.diesel_phase_out BY NAME
    SELECT DATE '2026-11-20' AS service_date, status_scope, service_scope, operator_name,
        depot_name, fuel_type, vehicle_count, sum(vehicle_count) OVER scope AS fleet_count,
        vehicle_count / sum(vehicle_count) OVER scope AS vehicle_share
    FROM (VALUES ('in service'), ('with reserve')) AS statuses (status_scope)
    CROSS JOIN (VALUES ('city and suburban'), ('city')) AS services (service_scope)
    CROSS JOIN (VALUES ('all', 'all'), ('Green', 'all'), ('Green', 'North'))
        AS operators (operator_name, depot_name)
    CROSS JOIN (VALUES ('diesel'), ('cng'), ('lpg'), ('petrol'), ('hybrid'), ('electric'),
        ('trolleybus'), ('hydrogen'), ('unknown')) AS fuels (fuel_type)
    CROSS JOIN LATERAL (SELECT CASE fuel_type
        WHEN 'diesel' THEN 1
        WHEN 'cng' THEN CASE status_scope WHEN 'in service' THEN 1 ELSE 2 END
        ELSE 0 END AS vehicle_count) AS counts
    WINDOW scope AS (PARTITION BY status_scope, service_scope, operator_name, depot_name);
INSERT INTO staging.fleet_snapshots BY NAME
    SELECT 'published' AS source_id, 's1' AS version_id, 'all' AS snapshot_id, 4 AS vehicle_count,
        2 AS cng_count, 2 AS diesel_count;
INSERT INTO marts.diesel_vehicle_km BY NAME
    SELECT DATE '2026-11-20' AS service_date, 30.0 AS fleet_km, * FROM (VALUES
        ('diesel', 10.0), ('cng', 20.0))
    AS rows (fuel_type, vehicle_km);
INSERT INTO marts.diesel_forecast BY NAME
    SELECT DATE '2026-11-20' AS service_date, DATE '2030-01-01' AS zero_date,
        DATE '2029-01-01' AS zero_date_low, *
    FROM (VALUES ('in service'), ('with reserve')) AS scopes (status_scope)
    CROSS JOIN (VALUES ('gross replacements'), ('net trend'), ('survival'))
        AS methods (forecast_method);
INSERT INTO marts.forecast_skill BY NAME
    SELECT DATE '2026-11-20' AS service_date, 12 AS forecast_count, 0.75 AS held_share;
INSERT INTO marts.fleet_reconciliation BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'all' AS snapshot_id, 'equal' AS verdict;
INSERT INTO marts.diesel_burn_down BY NAME
    SELECT DATE '2026-11-20' AS service_date, * FROM (VALUES
        (DATE '2026-10-31', 'in service', 2), (DATE '2026-10-31', 'with reserve', 2),
        (DATE '2026-11-20', 'in service', 1), (DATE '2026-11-20', 'with reserve', 1))
    AS rows (as_of_date, status_scope, diesel_count);
-- A diesel bus, and one on the grid.
INSERT INTO marts.bus_emissions BY NAME
    SELECT DATE '2026-11-20' AS service_date, 1.0 AS known_trip_share,
        day_tonnes_high AS day_tonnes_low, * FROM (VALUES
        ('fleet', 'tailpipe', 'diesel', 'CO2e', 2.0), ('fleet', 'tailpipe', 'electric', 'CO2e', 0.0),
        ('fleet', 'tailpipe', 'all', 'CO2e', 2.0), ('fleet', 'tailpipe', 'all', 'NOx', 0.1),
        ('fleet', 'tailpipe', 'diesel', 'NOx', 0.1), ('fleet', 'tailpipe', 'all', 'PM10', 0.0),
        ('fleet', 'grid', 'electric', 'CO2e', 1.0), ('fleet', 'grid', 'all', 'CO2e', 1.0),
        ('fleet', 'tailpipe and grid', 'all', 'CO2e', 3.0),
        ('avoided against all diesel Euro VI', 'tailpipe', 'all', 'NOx', -0.1))
    AS rows (fleet_case, boundary, fuel_type, pollutant, day_tonnes_high);
INSERT INTO marts.main_streets BY NAME
    SELECT DATE '2026-11-20' AS service_date, * FROM (VALUES
        ('radial', 1, 1, 1), ('internal', 1, 0, 1), ('all', 2, 1, 2))
    AS rows (street_class, street_count, opened_count_low, opened_count_high);
-- Sixty trucks went from one station of the cordon to the other, forty of them by the ring.
INSERT INTO marts.matched_trips BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'heavy' AS vehicle_class, 'k1' AS entry_station_id,
        'k2' AS exit_station_id, 'in out' AS directions, 8 AS entry_hour, 1 AS exit_band,
        160 AS minutes_bin, * FROM (VALUES ('', 60), ('any', 40), ('g1', 40))
    AS rows (reader, trip_count);
INSERT INTO marts.toll_audits BY NAME
    SELECT DATE '2026-11-20' AS service_date, DATE '2026-11-20' AS audit_date, 'g1' AS station_id,
        15 AS hour_of_day, 1 AS vehicles_seen_count, 1 AS plates_read_count;
-- October is over; the night before told a share of 0.39.
INSERT INTO marts.through_trips BY NAME
    SELECT DATE '2026-11-20' AS service_date, DATE '2026-10-01' AS month_date,
        'heavy' AS vehicle_class, 0.4 AS diversion_share, 0.2 AS diversion_share_low,
        0.6 AS diversion_share_high, 60.0 AS ring_minutes, 80.0 AS city_minutes, * FROM (VALUES
        ('k1', 'k2', 70, 30), ('k2', 'k1', 30, 10))
    AS rows (entry_station_id, exit_station_id, matched_count, matched_ring_count);
INSERT INTO marts.ring_road_restatements BY NAME
    SELECT DATE '2026-11-20' AS service_date, DATE '2026-11-19' AS before_date,
        DATE '2026-10-01' AS month_date, 'heavy' AS vehicle_class, 0.39 AS diversion_share_before,
        0.4 AS diversion_share, 31 AS passage_day_count_before, 31 AS passage_day_count,
        'passages of days told before came late or were replaced' AS cause;
INSERT INTO marts.ring_road_diversion BY NAME
    SELECT DATE '2026-11-20' AS service_date, 1 AS replayed_day_count, * FROM (VALUES
        (DATE '2026-10-01', 'heavy', 31, true, 100, 40, 0.4, 0.3, 0.5, 0.8, 0.9, NULL),
        (DATE '2026-11-01', 'heavy', 20, false, 5, 0, NULL, NULL, NULL, NULL, NULL, 'too few'),
        (DATE '2026-10-01', 'light', 31, true, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'none'),
        (DATE '2026-11-01', 'light', 20, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'none'))
    AS rows (month_date, vehicle_class, passage_day_count, is_complete_month, matched_count, matched_ring_count,
        diversion_share, diversion_share_low, diversion_share_high, read_rate_cordon, read_rate_ring,
        reason);
-- One station of the cordon counts well; the other one and the ring's have a camera alone.
INSERT INTO marts.sensor_health BY NAME
    SELECT DATE '2026-11-20' AS service_date, * FROM (VALUES
        ('k1', 28, 27, 0, 27, 0.964286, NULL), ('k2', 0, 0, 0, 0, NULL, NULL),
        ('g1', 0, 0, 0, 0, NULL, NULL))
    AS rows (station_id, expected_day_count, complete_day_count, missing_day_count,
        usable_day_count, health_weight, findings);
INSERT INTO marts.station_aadt BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'k1' AS station_id, 84 AS counted_cell_count,
        0 AS filled_cell_count, 360 AS counted_day_count, 5 AS left_out_day_count, *
    FROM (VALUES (DATE '2025-11-01', DATE '2026-10-31'), (DATE '2025-01-01', DATE '2025-12-31'))
        AS years (year_from_date, year_to_date)
    CROSS JOIN (VALUES ('all', 1000.0), ('light', 600.0), ('medium', 100.0), ('heavy', 300.0))
        AS classes (vehicle_class, aadt_count);
INSERT INTO marts.station_aadt BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'all' AS vehicle_class,
        DATE '2025-11-01' AS year_from_date, DATE '2026-10-31' AS year_to_date,
        0 AS counted_cell_count, 0 AS filled_cell_count, 0 AS counted_day_count,
        0 AS left_out_day_count, 'no whole day was counted' AS reason, *
    FROM (VALUES ('k2'), ('g1')) AS stations (station_id);
INSERT INTO marts.station_factors BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'k1' AS station_id, 1.0 AS factor, *
    FROM (VALUES ('all'), ('light'), ('medium'), ('heavy')) AS classes (vehicle_class)
    CROSS JOIN (
        SELECT 'month' AS factor_kind, number AS factor_number FROM range(1, 13) AS months (number)
        UNION ALL
        SELECT 'weekday', number FROM range(1, 8) AS weekdays (number));
-- The cordon's station is told, the ring had no traffic before, and there is no screenline.
INSERT INTO marts.ring_road_effect BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'opening' AS event_id, 'all' AS vehicle_class,
        DATE '2023-06-16' AS event_first_date, DATE '2023-07-21' AS event_settled_date,
        DATE '2023-06-11' AS before_to_date, DATE '2023-07-24' AS after_from_date,
        DATE '2025-12-28' AS after_to_date, 72 AS before_week_count, 124 AS after_week_count,
        20 AS control_count, 1 AS tested_place_count, repeat('0', 64) AS plan_sha256, *
    FROM (VALUES
        ('station', 'k1', 0.9, 0.8, 1.0, 0.05, 0.05, NULL),
        ('station', 'k2', NULL, NULL, NULL, NULL, NULL, 'not counted'),
        ('station', 'g1', NULL, NULL, NULL, NULL, NULL, 'no weeks before'),
        ('role group', 'all screenlines', NULL, NULL, NULL, NULL, NULL, 'a sum of no stations'))
    AS rows (place_kind, place_id, ratio, ratio_low, ratio_high, p_value, p_value_adjusted, reason);
INSERT INTO marts.ring_road_levels BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'published' AS published_mark,
        1 AS station_count, * FROM (VALUES
        ('before', DATE '2023-06-01', DATE '2023-06-15', 1000, 'over', 1010.0, 1.01, 15),
        ('after', DATE '2023-07-16', DATE '2023-07-31', 800, 'about', 790.0, 0.9875, 16))
    AS rows (level_id, period_from_date, period_to_date, published_vehicles_per_day,
        published_qualifier, vehicles_per_day, ratio_to_published, counted_day_count);
INSERT INTO marts.commitments_status BY NAME
    SELECT DATE '2026-11-20' AS service_date, * FROM (VALUES
        ('diesel', 'overdue', 1.0, 0.0, 'at most', DATE '2025-12-31', DATE '2026-11-20', NULL),
        ('jams', 'no data', NULL, NULL, NULL, NULL, NULL, 'not measured'))
    AS rows (commitment_id, status, measured_value, target_value, target_comparison, deadline_date,
        measured_date, reason);
INSERT INTO marts.commitment_targets BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'no-diesel' AS target_id, 'missed' AS outcome,
        DATE '2025-12-31' AS deadline_date, DATE '2025-12-08' AS published_date;
-- Whoever lives in cell 1 gets to cell 2 in twenty minutes by metro and bus, in forty by bus alone.
INSERT INTO marts.reach_inputs BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'weekday' AS day_type, 1 AS draw_count, * FROM (VALUES
        ('all', repeat('a', 32)), ('metro and bus', repeat('a', 32)), ('bus', repeat('b', 32)), ('metro', repeat('c', 32)),
        ('step-free known', NULL), ('step-free possible', NULL))
    AS rows (mode_set, inputs_id);
INSERT INTO marts.travel_times BY NAME
    SELECT inputs_id, cell_id AS origin_cell_id, cell_id AS destination_cell_id,
        0 AS p25_seconds, 0 AS p50_seconds, 0 AS p75_seconds
    FROM (VALUES (repeat('a', 32)), (repeat('b', 32)), (repeat('c', 32))) AS inputs (inputs_id)
    CROSS JOIN (VALUES ('1'), ('2'), ('3'), ('4')) AS cells (cell_id);
INSERT INTO marts.travel_times BY NAME
    SELECT '1' AS origin_cell_id, '2' AS destination_cell_id, 0.9 * p50_seconds AS p25_seconds,
        1.1 * p50_seconds AS p75_seconds, *
    FROM (VALUES (repeat('a', 32), 1200), (repeat('b', 32), 2400), (repeat('c', 32), 2000)) AS rows (inputs_id, p50_seconds);
INSERT INTO marts.opportunities_reached BY NAME
    SELECT inputs_id, cell_id, 'people' AS opportunity_type, threshold_minutes, percentile,
        people + CASE
            WHEN cell_id = '1' AND inputs_id = repeat('a', 32) THEN 300
            WHEN cell_id = '1' AND threshold_minutes > 40 THEN 300
            ELSE 0 END AS reached_count
    FROM (VALUES (repeat('a', 32)), (repeat('b', 32)), (repeat('c', 32))) AS inputs (inputs_id)
    CROSS JOIN (VALUES ('1', 400), ('2', 300), ('3', 200), ('4', 100)) AS cells (cell_id, people)
    CROSS JOIN (VALUES (30), (45), (60)) AS thresholds (threshold_minutes)
    CROSS JOIN (VALUES (25), (50), (75)) AS percentiles (percentile);
-- Of 1,000 people: (400 x 700 + 300 x 300 + 200 x 200 + 100 x 100) / 1,000 = 420, or 300 by oneself.
INSERT INTO marts.accessibility BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'city' AS scope_type, 'toy' AS scope_id,
        'people' AS opportunity_type, 1000 AS opportunities_count, reached_count / 1000 AS reached_share,
        *
    FROM (
        SELECT mode_set, threshold_minutes, percentile, CASE
            WHEN mode_set LIKE 'step-free%' THEN NULL
            WHEN mode_set IN ('all', 'metro and bus') OR threshold_minutes > 40 THEN 420.0
            ELSE 300.0 END AS reached_count
        FROM (VALUES ('all'), ('metro'), ('bus'), ('metro and bus'), ('step-free known'),
            ('step-free possible')) AS sets (mode_set)
        CROSS JOIN (VALUES (30), (45), (60)) AS thresholds (threshold_minutes)
        CROSS JOIN (VALUES (25), (50), (75)) AS percentiles (percentile));
INSERT INTO marts.metro_contribution BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'city' AS scope_type, 'toy' AS scope_id,
        'people' AS opportunity_type, 420.0 AS metro_and_bus_count, * FROM (VALUES
        (30, 300.0, 120.0), (45, 420.0, 0.0), (60, 420.0, 0.0))
    AS rows (threshold_minutes, bus_count, added_count);
INSERT INTO marts.reach_change BY NAME
    SELECT DATE '2026-11-20' AS service_date, 'marts.metro_reach' AS figure_table,
        'residents_within_count' AS figure_column, 'latest before' AS compared_with,
        DATE '2026-11-19' AS compared_date, 0.0 AS method_change, 0.0 AS population_change,
        0.0 AS streets_change, * FROM (VALUES
        ('city', 'town', 450.0, 500.0, 50.0, 30.0, 20.0),
        ('district', 'north', 50.0, 100.0, 50.0, 30.0, 20.0),
        ('district', 'south', 400.0, 400.0, 0.0, 0.0, 0.0))
    AS rows (scope_type, scope_id, before_value, after_value, change, timetable_change,
        stops_change);
-- A thousand trips a day on the ring: 60 km each instead of 50, and an hour instead of two.
INSERT INTO marts.ring_road_moved BY NAME
    SELECT service_date, month_date, vehicle_class, reason, told.*
    FROM marts.ring_road_diversion AS diversion
    LEFT JOIN (VALUES (1000.0, 750.0, 1250.0, 50000.0, 40000.0, 60000.0, 2000.0, 1500.0, 2500.0,
        60000.0, 1000.0, 10000.0))
    AS told (ring_trips_per_day, ring_trips_per_day_low, ring_trips_per_day_high,
        city_km_avoided_per_day, city_km_avoided_per_day_low, city_km_avoided_per_day_high,
        city_hours_avoided_per_day, city_hours_avoided_per_day_low,
        city_hours_avoided_per_day_high, ring_km_per_day, ring_hours_per_day, extra_km_per_day)
        ON diversion.diversion_share IS NOT NULL
    WHERE month_date < DATE '2026-11-01';
