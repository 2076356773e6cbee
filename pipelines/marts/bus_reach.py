"""Residents within a walk of 500 m of a bus stop served on the service date.

The distance is that of UN SDG indicator 11.2.1 for low-capacity transport. Bus is GTFS route type
3, trolleybus 11, and the extended types 700 to 716 (bus) and 800 (trolleybus). How reach is counted
is said in `pipelines.marts.reach.residents`.

Left out: coaches (extended types 200 to 209) and taxis.
"""

from __future__ import annotations

import dataframely as dy

from pipelines.marts.reach.residents import Reach, compute_reach
from pipelines.marts.reach.service import Mode, Timetable
from pipelines.marts.reach.walking import Walkways
from pipelines.night import Night
from pipelines.staging.districts import Districts
from pipelines.staging.gtfs import Routes, ServiceDates, Stops, StopTimes, Trips
from pipelines.staging.population import PopulationCells
from pipelines.staging.streets import StreetLinks, StreetNodes

BUS = Mode("bus", distance_m=500, route_types=frozenset({3, 11, *range(700, 717), 800}))


class BusReach(Reach):
    """One row per service date and scope: the city, or one of its districts."""


def compute_bus_reach(
    night: Night,
    *,
    service_dates: dy.DataFrame[ServiceDates],
    trips: dy.DataFrame[Trips],
    stop_times: dy.DataFrame[StopTimes],
    routes: dy.DataFrame[Routes],
    stops: dy.DataFrame[Stops],
    population_cells: dy.DataFrame[PopulationCells],
    districts: dy.DataFrame[Districts],
    street_nodes: dy.DataFrame[StreetNodes],
    street_links: dy.DataFrame[StreetLinks],
) -> dy.DataFrame[BusReach]:
    """Reach by bus and trolleybus on the night's service date; errors as in `compute_reach`."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    walkways = Walkways.of(street_nodes, street_links)
    reached = compute_reach(night, BUS, timetable, population_cells, districts, walkways=walkways)
    return BusReach.validate(reached)
