"""A night of a town of two districts, four cells and two stations, its figures easy to tell apart.

Frames have the contracts' columns and types; what a row does not name is null.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import shapely

from pipelines import flow
from pipelines.brief.cells import Named
from pipelines.brief.material import Compared, Material, SourceState
from pipelines.contracts import load_contract
from pipelines.night import Night, Window
from pipelines.staging.districts import Districts
from pipelines.staging.gtfs import Stops

DAY, YEAR_AGO = date(2026, 11, 17), date(2025, 11, 18)
NIGHT = Night("toy", "Toytown", DAY, "weekday", "Asia/Almaty", Window(25_200, 32_400), "measured")


def frame(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a mart for the night, nulls where nothing is said."""
    schema = {name: c.dtype for name, c in load_contract(flow.table(table)).columns().items()}
    base = {"service_date": DAY, "mark": "measured"}
    filled = [{name: {**base, **row}.get(name) for name in schema} for row in rows]
    return pl.DataFrame(filled, schema=schema)


def reach(table: str, share: float, before: float, district: str = "north") -> pl.DataFrame:
    """Reach of the town now and a year ago, and of one district."""
    distance = {"distance_m": 500 if table == "marts.bus_reach" else 1_000}
    city = {"scope_type": "city", "scope_id": "toy", "scope_name": "Toytown", **distance}
    now = {
        "residents_count": 1_000.0,
        "residents_within_count": 1_000 * share,
        "residents_within_low": 900 * share,
        "residents_within_high": 1_100 * share,
        "reach_share": share,
    }
    part = {**city, "scope_type": "district", "scope_id": district, "scope_name": "North"}
    return frame(
        table,
        {**city, **now},
        {**part, **now, "residents_count": 600.0},
        {**city, **now, "service_date": YEAR_AGO, "reach_share": before},
    )


def cells(side: int = 2) -> pl.DataFrame:
    """A grid of cells with residents, the first with a metro, every other one with a bus."""
    return frame(
        "marts.cell_access",
        *(
            {
                "cell_id": f"{row:03}-{column:03}",
                "district_id": "north",
                "latitude": 43.2 + row * 0.005,
                "longitude": 76.8 + column * 0.006,
                "population_p50": 10.0,
                "metro_walk_m": 400.0 if row == column == 0 else None,
                "bus_walk_m": 300.0 if column % 2 else 900.0,
            }
            for row in range(side)
            for column in range(side)
        ),
    )


def burn_down(months: int = 14) -> pl.DataFrame:
    """Diesel vehicles fall from month to month, to 40 of 100 on the night."""
    return frame(
        "marts.diesel_burn_down",
        *(
            {
                "as_of_date": DAY - timedelta(days=30 * back),
                "status_scope": "in service",
                "diesel_count": 40 + back,
                "fleet_count": 100,
                "diesel_share": (40 + back) / 100,
                "clean_share": (60 - back) / 100,
            }
            for back in range(months)
        ),
    )


def effects() -> pl.DataFrame:
    """A halving of heavy vehicles at the screenlines, and a station that is refused."""
    event = {
        "event_id": "opening",
        "event_name": "The ring road opens",
        "event_first_date": date(2023, 6, 16),
        "place_role": "screenline",
    }
    return frame(
        "marts.ring_road_effect",
        {
            **event,
            "vehicle_class": "heavy",
            "place_kind": "role group",
            "place_id": "all screenlines",
            "ratio": 0.5,
            "ratio_low": 0.4,
            "ratio_high": 0.6,
            "standard_error": 0.1,
            "p_value_adjusted": 0.001,
            "did_ratio": 0.52,
            "placebo_date_errors": 0.7,
            "claiming_placebo_count": 1,
        },
        {
            **event,
            "vehicle_class": "heavy",
            "place_kind": "station",
            "place_id": "screen-1",
            "road_name": "South road",
            "reason": "too few weeks before",
        },
    )


def material() -> Material:
    """The whole night."""
    month = {"vehicle_class": "heavy", "passage_day_count": 10}
    frames = {
        "marts.metro_reach": reach("marts.metro_reach", 0.125, 0.1),
        "marts.bus_reach": reach("marts.bus_reach", 0.8, 0.8),
        "marts.cell_access": cells(),
        "marts.diesel_burn_down": burn_down(),
        "marts.diesel_forecast": frame(
            "marts.diesel_forecast",
            {
                "status_scope": "in service",
                "forecast_method": "net trend",
                "count_3_months": 37.0,
                "count_3_months_low": 35.0,
                "count_3_months_high": 39.0,
                "count_12_months": 28.0,
                "count_12_months_low": 20.0,
                "count_12_months_high": 36.0,
                "zero_date": date(2030, 1, 1),
                "zero_date_low": date(2029, 1, 1),
                "zero_date_high": date(2032, 1, 1),
            },
        ),
        "marts.ring_road_diversion": frame(
            "marts.ring_road_diversion",
            {
                **month,
                "month_date": date(2025, 11, 1),
                "diversion_share": 0.5,
                "diversion_share_low": 0.46,
                "diversion_share_high": 0.53,
            },
            {
                **month,
                "month_date": date(2026, 11, 1),
                "diversion_share": 0.6,
                "diversion_share_low": 0.56,
                "diversion_share_high": 0.64,
            },
        ),
        "marts.ring_road_effect": effects(),
        "marts.ring_road_levels": frame(
            "marts.ring_road_levels",
            {
                "level_id": "after",
                "place_name": "South road",
                "what": "All vehicles a day",
                "published_qualifier": "over",
                "published_vehicles_per_day": 4_000,
                "vehicles_per_day": 4_100.5,
                "source_address": "https://example.org/levels",
            },
        ),
        "marts.commitments_status": frame(
            "marts.commitments_status",
            {
                "commitment_id": "diesel",
                "rank": 1,
                "source_name": "Town council",
                "sentence": "No diesel bus after 2027",
                "indicator": "Diesel vehicles in service",
                "status": "on track",
                "measured_value": 40.0,
                "measured_unit": "vehicles",
                "target_value": 0.0,
                "target_comparison": "at most",
                "deadline_date": date(2027, 12, 31),
            },
        ),
        "marts.commitment_targets": frame(
            "marts.commitment_targets",
            {
                "target_id": "none",
                "statement": "No diesel bus after 2027",
                "source_name": "Town council",
                "source_address": "javascript:alert(1)",
                "unit": "vehicles",
                "target_value": 0.0,
                "target_comparison": "at most",
                "deadline_date": date(2027, 12, 31),
                "outcome": "not due",
                "measured_value": 40.0,
            },
        ),
        "marts.feed_health": frame(
            "marts.feed_health",
            {
                "source_id": "transit",
                "last_fetched_date": DAY,
                "days_left_count": 5,
                "is_stale": True,
                "is_assumed": False,
                "warning": "ends in 5 days",
            },
        ),
        "marts.sensor_health": frame(
            "marts.sensor_health",
            {"station_id": "W", "role": "cordon", "health_weight": 0.25, "findings": "stuck"},
            {"station_id": "E", "role": "cordon", "health_weight": 1.0},
        ),
    }
    return Material(
        night=NIGHT,
        city=Named("Ойыншық", "Игрушкин", "Toytown"),
        frames=frames,
        districts=districts(),
        stations=pl.DataFrame(
            {
                "stop_name": ["Central", "Harbour"],
                "stop_lat": [43.2, 43.21],
                "stop_lon": [76.8, 76.81],
            }
        ),
        lines=[[(43.2, 76.8), (43.21, 76.81)]],
        sources=[
            SourceState("transit", "gtfs", "published", is_stale=True, good_date=DAY),
            SourceState("people", "population", "synthetic", is_stale=False, good_date=DAY),
        ],
        compared=Compared(DAY, YEAR_AGO),
        code_version="1.0+abc",
    )


def districts() -> pl.DataFrame:
    """One square district with names in two languages."""
    schema = {name: column.dtype for name, column in Districts.columns().items()}
    row = {
        "district_id": "north",
        "district_name": "North",
        "name_kk": "Солтүстік",
        "name_ru": "Северный",
        "geometry": shapely.to_wkb(shapely.box(76.79, 43.19, 76.83, 43.22)),
    }
    return pl.DataFrame([{name: row.get(name) for name in schema}], schema=schema)


def bare() -> Material:
    """A night of a city that makes none of the figures."""
    stations = Stops.create_empty().select("stop_name", "stop_lat", "stop_lon")
    empty = replace(material(), frames={}, lines=(), sources=(), compared=None, stations=stations)
    return replace(empty, districts=Districts.create_empty())


def large() -> Material:
    """A night as large as Almaty's: 60 x 60 cells, thirteen years of months."""
    whole = material()
    frames = {
        **whole.frames,
        "marts.cell_access": cells(60),
        "marts.diesel_burn_down": burn_down(156).with_columns(
            pl.col("diesel_share").clip(0, 1), pl.col("clean_share").clip(0, 1)
        ),
    }
    return replace(whole, frames=frames)
