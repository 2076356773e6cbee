"""A city small enough to check by eye, as files in a folder: feed, fleet, traffic, places.

Four residents' cells in two districts, one metro line and one bus route (`toy_feeds`), five
vehicles of which two run on diesel, two cordon stations and one on the ring, two weeks of passages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from pipelines import flow, run
from pipelines.errors import QalaError
from tests.toy_feeds import toy_feed

CITY = """\
[city]
id = "toy"
name = "Toytown"
time_zone = "Asia/Almaty"

[sources.transit]
kind = "gtfs"
address = "transit.zip"
format = "zip"
mark = "measured"
critical = true

[sources.fleet]
kind = "fleet"
address = "fleet.csv"
format = "csv"
mark = "measured"

[sources.stations]
kind = "count_stations"
address = "stations.csv"
format = "csv"
mark = "measured"

[sources.counts]
kind = "traffic_counts"
address = "counts"
format = "csv"
mark = "measured"

[sources.passages]
kind = "passages"
address = "passages"
format = "csv"
mark = "measured"

[sources.audits]
kind = "read_audits"
address = "audits.csv"
format = "csv"
mark = "measured"

[sources.people]
kind = "population"
address = "people.csv"
format = "csv"
mark = "modelled"

[sources.districts]
kind = "districts"
address = "districts.geojson"
format = "geojson"
mark = "published"

[sources.commitments]
kind = "commitments"
address = "commitments.toml"
format = "toml"
mark = "published"
"""

# A night of few figures, for what is about nights and not about figures.
FEW_FIGURES = """figures = [
  "trip_stats", "metro_reach", "bus_reach", "diesel_phase_out", "ring_road_diversion",
]
"""
FEW = CITY.replace("[city]\n", f"[city]\n{FEW_FIGURES}", 1)

_HEAD, *_SOURCES = re.split(r"(?m)^(?=\[sources\.)", CITY)


def city_of(figures: Sequence[str], sources: Sequence[str]) -> str:
    """The toy city with some of its figures and sources."""
    head = _HEAD.replace("[city]\n", f"[city]\nfigures = {json.dumps(list(figures))}\n", 1)
    names = "|".join(sources)
    return head + "".join(s for s in _SOURCES if re.match(rf"\[sources\.({names})\]", s))


# A night of few tasks, for what starts a process for each of them.
SMALL = city_of(["stop_departures", "diesel_phase_out"], ["transit", "fleet"])

FLEET = """\
vehicle_id,operator_name,fuel_type,in_service_date,retirement_date,status,service_scope
1,Green,cng,2020-01-01,,in_service,city
2,Green,diesel,2015-01-01,,in_service,city
3,Green,diesel,2014-01-01,2025-06-30,in_service,city
4,Blue,diesel,2016-01-01,,reserve,suburban
5,Blue,electric,2024-01-01,,in_service,city
"""

STATIONS = """\
station_id,station_name,road_name,role,latitude,longitude
W,West gate,West road,cordon,43.25,76.70
E,East gate,East road,cordon,43.25,77.15
R,Ring north,Ring,ring,43.40,76.92
"""

PEOPLE = """\
cell_id,latitude,longitude,population_p10,population_p50,population_p90
near metro,43.2410,76.9000,90,100,110
near bus,43.2572,76.9010,180,200,220
far,43.3000,76.9000,270,300,330
outside,43.2400,77.5000,1,2,3
"""

DAYS = 14
LAST_DAY = date(2026, 11, 18)


def write_toy_city(folder: Path, *, city: str = CITY, feed: bytes | None = None) -> Path:
    """Write the city's files; returns the city file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "transit.zip").write_bytes(toy_feed() if feed is None else feed)
    (folder / "fleet.csv").write_text(FLEET)
    (folder / "stations.csv").write_text(STATIONS)
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "districts.geojson").write_text(json.dumps(districts()))
    (folder / "commitments.toml").write_text(COMMITMENTS)
    write_traffic(folder)
    path = folder / "toy.toml"
    path.write_text(city)
    return path


def districts() -> dict[str, object]:
    """Two squares that share an edge at latitude 43.25."""

    def square(name: str, south: float, north: float) -> dict[str, object]:
        west, east = 76.8, 77.1
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {
            "type": "Feature",
            "properties": {"district_id": name.lower(), "district_name": name},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    features = [square("South", 43.20, 43.25), square("North", 43.25, 43.35)]
    return {"type": "FeatureCollection", "features": features}


def write_traffic(folder: Path) -> None:
    """Ten trucks a day from west to east: six by the ring, four through the city."""
    (folder / "passages").mkdir(exist_ok=True)
    (folder / "counts").mkdir(exist_ok=True)
    audits = ["station_id,audit_date,hour_of_day,vehicles_seen_count,plates_read_count"]
    for back in reversed(range(DAYS)):
        day = LAST_DAY - timedelta(days=back)
        passages = ["station_id,passed_at,direction,vehicle_class,plate_hash"]
        for truck in range(10):
            plate = f"{day.toordinal():08x}{truck:08x}"
            entered = datetime(day.year, day.month, day.day, 4, 3 * truck, tzinfo=UTC)
            for station, minutes, way in (("W", 0, "in"), ("R", 30, "in"), ("E", 60, "out")):
                if station != "R" or truck < 6:
                    at = entered + timedelta(minutes=minutes)
                    passages.append(f"{station},{at:%Y-%m-%dT%H:%M:%SZ},{way},heavy,{plate}")
        (folder / "passages" / f"{day}.csv").write_text("\n".join(passages) + "\n")
        audits.extend(f"{station},{day},9,100,90" for station in "WER")
        # No two days in a row are alike: their sensor would be stuck.
        hours = [f"W,{day}T{hour:02d}:00:00Z,light,{100 + hour + day.day}" for hour in range(24)]
        text = "\n".join(["station_id,hour_at,vehicle_class,vehicle_count", *hours]) + "\n"
        (folder / "counts" / f"{day}.csv").write_text(text)
    (folder / "audits.csv").write_text("\n".join(audits) + "\n")


COMMITMENTS = """\
[[commitment]]
id = "no-diesel"
rank = 1
source = "Toytown council"
sentence = "No diesel buses after 2025."
indicator = "Diesel vehicles in service"
unit = "vehicles"
direction = "falling"
target = 0
target_comparison = "at most"
deadline = 2025-12-31

[commitment.figure]
table = "marts.diesel_phase_out"
column = "vehicle_count"
share_column = "vehicle_share"
where = { fuel_type = "diesel", status_scope = "in service", service_scope = "city and suburban", operator_name = "all" }
scope = "vehicles in service"
"""  # noqa: E501  # an inline table of TOML is one line


def run_night(key: str, run_id: str = "by hand") -> dict[str, run.Report | QalaError]:
    """A night's steps in order, as tasks call them; what a step says, or the error it ends with.

    A step is left out when one before it that it needs has failed, as in the DAG.
    """
    told: dict[str, run.Report | QalaError] = {}

    def step(name: str, call: Callable[[], run.Report]) -> None:
        try:
            told[name] = call()
        except QalaError as error:
            told[name] = error

    for source_ids in run.schedule().sources.values():
        for source_id in source_ids:
            fetched = run.fetch(source_id, key, run_id)
            told[f"fetch {source_id}"] = fetched
            step(f"load {source_id}", partial(run.load, source_id, fetched, key, run_id))
    for mart in map(flow.table, run.schedule().marts):
        if not _failed(told):
            step(f"build {mart.name}", partial(run.build, mart.name, key, run_id))
    for name, call in (("audit", run.audit), ("publish", run.publish)):
        if not _failed(told):
            step(name, partial(call, key, run_id))
    published = "publish" in told and not _failed(told)
    step("close", partial(run.close, key, run_id, published=published))
    return told


def _failed(told: dict[str, run.Report | QalaError]) -> bool:
    return any(isinstance(report, QalaError) for report in told.values())
