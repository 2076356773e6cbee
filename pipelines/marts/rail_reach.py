"""Residents within a walk of 1,000 m of a suburban rail stop served on the service date.

The distance is that of UN SDG indicator 11.2.1 for high-capacity transport. Suburban rail is GTFS
route type 2 and the extended types 100 to 117 (railway services). How reach is counted is said in
`pipelines.marts.reach.residents`.

Left out: metro and light rail, which are modes of their own. Long-distance trains count where a
feed has them: GTFS tells them apart by the extended types alone, and few feeds use these.
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

RAIL = Mode("suburban rail", distance_m=1_000, route_types=frozenset({2, *range(100, 118)}))


class RailReach(Reach):
    """One row per service date and scope: the city, or one of its districts."""


def compute_rail_reach(
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
) -> dy.DataFrame[RailReach]:
    """Reach by suburban rail on the night's service date; errors as in `compute_reach`."""
    timetable = Timetable(service_dates, trips, stop_times, routes, stops)
    walkways = Walkways.of(street_nodes, street_links)
    reached = compute_reach(night, RAIL, timetable, population_cells, districts, walkways=walkways)
    return RailReach.validate(reached)
