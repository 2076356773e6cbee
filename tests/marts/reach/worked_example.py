"""A city of one home whose PTAL is worked out by hand: two buses and a metro around it.

    bus A, 240 m to walk, 12 an hour; bus B, 400 m, 6 an hour; metro, 800 m, every 338 s.

Walks are straight lines x 1.3, so the stops lie 184.6 m east, 307.7 m west and 615.4 m north of the
home at (43.24, 76.92). Each leaves for a terminal far away. Another home lies near nothing.
"""

from __future__ import annotations

import math

from tests.marts.reach.toy_city import (
    RATES_READ,
    Frames,
    districts,
    no_streets,
    population,
    timetable,
)
from tests.toy_feeds import toy_feed

HOME = (43.24, 76.92)
DEGREE_M = 111_195.08
PTAL_INDEX = 7.4613


def north(walk_m: float) -> str:
    return f"{HOME[0] + walk_m / 1.3 / DEGREE_M:.8f},{HOME[1]:.8f}"


def east(walk_m: float) -> str:
    degrees = walk_m / 1.3 / DEGREE_M / math.cos(math.radians(HOME[0]))
    return f"{HOME[0]:.8f},{HOME[1] + degrees:.8f}"


FEED = {
    "stops": f"""\
stop_id,stop_name,stop_lat,stop_lon
A,A,{east(240)}
B,B,{east(-400)}
M,M,{north(800)}
end,Terminal,43.40,77.10
""",
    "routes": "route_id,agency_id,route_short_name,route_type\nA,toy,A,3\nB,toy,B,3\nM,toy,M,1\n",
    "trips": "route_id,service_id,trip_id,direction_id\n"
    "A,weekday,A1,0\nB,weekday,B1,0\nM,weekday,M1,0\n",
    "stop_times": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    + "".join(
        f"{route}1,06:00:00,06:00:00,{route},1\n{route}1,07:00:00,07:00:00,end,2\n"
        for route in "ABM"
    ),
    "frequencies": "trip_id,start_time,end_time,headway_secs,exact_times\n"
    "A1,05:00:00,23:00:00,300,0\nB1,05:00:00,23:00:00,600,0\nM1,05:00:00,23:00:00,338,0\n",
    "shapes": None,
}


def worked_city() -> Frames:
    cells = population(
        ("home", *HOME, 80.0, 100.0, 110.0), ("away", 43.30, 77.00, 10.0, 20.0, 40.0)
    )
    return timetable(toy_feed(**FEED), tables=RATES_READ) | cells | districts() | no_streets()
