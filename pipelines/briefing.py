"""What the brief is made of, read from the lake as it stands for a night.

Everything read here is among the partitions that the night's publication stands on, so that the
same night gives the same page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import date

import polars as pl

from pipelines import flow
from pipelines.audit import NightTables
from pipelines.brief.cells import Named
from pipelines.brief.material import REACH, TONIGHT, Compared, Material, SourceState
from pipelines.build import Key
from pipelines.city_file import City
from pipelines.contracts import load_contract
from pipelines.fingerprint import code_version
from pipelines.marts.metro_reach import METRO
from pipelines.staging.districts import Districts
from pipelines.staging.gtfs import Shapes, Stops, StopTimes
from pipelines.warehouse.compared import YEAR_BEFORE, compared_dates
from pipelines.warehouse.lake import selection

# Ours: how old the latest comparable day may be; reference days are a month apart.
OLDEST_COMPARED_DAYS = 62
Line = list[tuple[float, float]]


def read_material(night: NightTables) -> Material:
    """Everything that the brief of a night shows."""
    service_date, city = night.service_date, night.city
    compared = _compared(night)
    days = {service_date}
    if compared is not None:
        days |= {compared.later_date, compared.earlier_date}
    lines, stations = _metro(night)
    return Material(
        night=city.night(service_date, (source.source_id for source in night.sources)),
        city=city_names(city),
        frames={
            **{name: _rows(night, name, [service_date]) for name in TONIGHT},
            **{name: _rows(night, name, sorted(days)) for name in REACH},
        },
        districts=night.lake.read_partitions(
            "staging.districts", Districts, night.keys.get("staging.districts", [])
        ),
        stations=stations,
        lines=lines,
        sources=source_states(night),
        compared=compared,
        code_version=code_version(),
    )


def city_names(city: City) -> Named:
    """The city's name in three languages, as far as its file has them."""
    facts = city.city
    return Named(facts.name_kk or facts.name, facts.name_ru or facts.name, facts.name)


def about_night(night: NightTables) -> list[object]:
    """What the brief shows beside the night's tables: the city's names, how its sources stand."""
    return [astuple(city_names(night.city)), *(astuple(one) for one in source_states(night))]


def source_states(night: NightTables) -> list[SourceState]:
    """Each source of the night, its objects taken together."""
    found: dict[str, SourceState] = {}
    for one in sorted(night.sources, key=lambda one: (one.source_id, one.object_name)):
        last = found.get(one.source_id)
        dates = [day for day in (one.good_date, last and last.good_date) if day]
        found[one.source_id] = SourceState(
            one.source_id,
            one.kind,
            one.mark,
            one.is_stale or bool(last and last.is_stale),
            max(dates, default=None),
        )
    return list(found.values())


def _rows(night: NightTables, name: str, days: Sequence[date]) -> pl.DataFrame:
    """Rows of some dates in key order; of dates that are not among the night's, none."""
    contract = load_contract(flow.table(name))
    return night.rows(name, days).sort(contract.primary_key())


def _compared(night: NightTables) -> Compared | None:
    """The night, or the latest reference day, and the day of its kind a year before."""
    dates = sorted(
        {
            key["service_date"]
            for name in REACH
            for key in night.keys.get(name, [])
            if isinstance(key["service_date"], date)
        }
    )
    for day in reversed(dates):
        if (night.service_date - day).days > OLDEST_COMPARED_DAYS:
            return None
        found = compared_dates(dates, day, night.city.day_type)
        if YEAR_BEFORE in found:
            return Compared(day, found[YEAR_BEFORE])
    return None


def _metro(night: NightTables) -> tuple[list[Line], pl.DataFrame]:
    """Metro lines as drawn by their feeds, or from stop to stop; and the metro's stations."""
    lines: list[Line] = []
    stations: list[pl.DataFrame] = [Stops.create_empty()]
    for key in night.keys.get("marts.trip_stats", []):
        patterns = _patterns(night, key)
        if patterns.is_empty():
            continue
        calls = _calls(night, key, patterns.get_column("trip_id").to_list())
        lines += list(_drawn(night, key, patterns)) or list(_from_stop_to_stop(calls))
        stations.append(calls)
    columns = ("stop_name", "stop_lat", "stop_lon")
    rows = pl.concat([frame.select(columns) for frame in stations]).drop_nulls()
    return lines, rows.unique("stop_name", keep="first", maintain_order=True)


def _patterns(night: NightTables, key: Key) -> pl.DataFrame:
    """One metro trip of each stop pattern of a feed version."""
    contract = load_contract(flow.table("marts.trip_stats"))
    types = ", ".join(str(kind) for kind in sorted(METRO.route_types))
    rows = night.lake.read(
        "marts.trip_stats", contract, f"{selection([key])} AND route_type IN ({types})"
    )
    order = ("route_id", "direction_id", "stop_pattern_name", "trip_id")
    return rows.sort(order).unique(order[:-1], keep="first", maintain_order=True)


def _calls(night: NightTables, key: Key, trip_ids: Sequence[str]) -> pl.DataFrame:
    """The stops of some trips in the order of calls: trip_id and the columns of `Stops`."""
    marks = ", ".join("?" for _ in trip_ids)
    calls = night.lake.read(
        "staging.stop_times", StopTimes, f"{selection([key])} AND trip_id IN ({marks})", trip_ids
    )
    stops = night.lake.read("staging.stops", Stops, selection([key]))
    return (
        calls.select("trip_id", "stop_sequence", "stop_id")
        .join(stops, on="stop_id")
        .sort("trip_id", "stop_sequence")
    )


def _drawn(night: NightTables, key: Key, patterns: pl.DataFrame) -> Iterator[Line]:
    ids = patterns.get_column("shape_id").drop_nulls().unique().sort().to_list()
    if not ids:
        return
    marks = ", ".join("?" for _ in ids)
    points = night.lake.read(
        "staging.shapes", Shapes, f"{selection([key])} AND shape_id IN ({marks})", ids
    ).sort("shape_id", "shape_pt_sequence")
    for _, shape in points.group_by("shape_id", maintain_order=True):
        yield list(shape.select("shape_pt_lat", "shape_pt_lon").iter_rows())


def _from_stop_to_stop(calls: pl.DataFrame) -> Iterator[Line]:
    for _, trip in calls.drop_nulls(["stop_lat", "stop_lon"]).group_by(
        "trip_id", maintain_order=True
    ):
        yield list(trip.select("stop_lat", "stop_lon").iter_rows())
