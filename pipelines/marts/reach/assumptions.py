"""What reach assumes of people on foot and of times, in one place; every figure names its method.

Left out: that people differ. Slower walkers, and those without steps, have figures of their own.
"""

from __future__ import annotations

# Walking speed of TfL's PTAL (Connectivity assessment guide, 2015): 4.8 km/h.
WALK_M_PER_MINUTE = 80.0
# Farthest walks, along streets: to the first and from the last stop 15 minutes, between two rides 5
# (the transfer limits of the canonical transfers are the feed's own), without any ride 30.
ACCESS_LIMIT_M = 1_200.0
TRANSFER_LIMIT_M = 400.0
DIRECT_LIMIT_M = 2_400.0
# A place is linked to the streets when they pass within this distance of it, in a straight line;
# a centroid of a 500 m cell lies at most 354 m from the cell's corners.
SNAP_LIMIT_M = 500.0
# Where a city has no street network, a walk is the straight line times this: the mean circuity of
# walks in street networks is 1.2 to 1.4 (Boeing 2019, Morphology and Circuity; Giacomin and
# Levinson 2015, Road network circuity in metropolitan areas).
DETOUR_FACTOR = 1.3
# Door-to-door times are told up to this, and cumulative opportunities within these.
LONGEST_MINUTES = 120
THRESHOLDS_MINUTES = (30, 45, 60)
# Percentiles of the door-to-door time over the departures of the window, one each minute.
PERCENTILES = (25, 50, 75)
DEPARTURE_STEP_SECONDS = 60
