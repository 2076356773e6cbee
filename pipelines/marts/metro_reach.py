"""Residents within a walk of 1,000 m of a metro stop served on the service date.

The distance is that of UN SDG indicator 11.2.1 for high-capacity transport. Metro is GTFS route
type 1 and the extended types 400 to 404 (urban railway, metro, underground). How reach is counted
is said in `pipelines.marts.reach.residents`.

Left out: suburban rail, monorail and light rail, which are modes of their own.
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

METRO = Mode("metro", distance_m=1_000, route_types=frozenset({1, *range(400, 405)}))


class MetroReach(Reach):
    """One row per service date and scope: the city, or one of its districts."""


def compute_metro_reach(
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
) -> dy.DataFrame[MetroReach]:
    """Reach by metro on the night's service date; errors as in `compute_reach`."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    walkways = Walkways.of(street_nodes, street_links)
    reached = compute_reach(night, METRO, timetable, population_cells, districts, walkways=walkways)
    return MetroReach.validate(reached)
