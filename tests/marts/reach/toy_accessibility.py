"""Door to door in the toy city (`tests/marts/reach/toy_city.py`), by metro or on foot.

Departures are 06:40 to 06:59, each minute. The metro leaves MA at 07:00 and 07:10 and reaches MB
after 2 and MC after 6 minutes; it does not come back. On foot one makes 80 m in a minute:

    hill - MA       867 m  10:51      hill - border   2,277 m  28:29
    slope - MA    1,012 m  12:39      slope - border  2,335 m  29:12
    MB - border     811 m  10:09      border - gamma  1,780 m  22:16
    hill - slope    145 m   1:49      MC - gamma          0 m

From hill to gamma: who leaves until 06:49 takes the metro of 07:00, the others that of 07:10. They
are there at 07:06 and 07:16, after 17, 18, ... 26 minutes, each twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from pipelines.marts.accessibility import compute_accessibility
from pipelines.marts.metro_contribution import compute_metro_contribution
from pipelines.marts.opportunities_reached import (
    OpportunitiesReached,
    compute_opportunities_reached,
)
from pipelines.marts.reach_inputs import compute_reach_inputs
from pipelines.marts.travel_times import compute_travel_times
from pipelines.night import Night, Window
from pipelines.staging.opportunities import Opportunities
from tests.marts.reach.toy_city import NETWORK_READ, a_night, toy_city
from tests.toy_feeds import WEDNESDAY

WINDOW = Window(6 * 3600 + 40 * 60, 7 * 3600)

Frames = dict[str, Any]


def night(service_date: str = WEDNESDAY, window: Window = WINDOW) -> Night:
    return replace(a_night(service_date), window=window)


def opportunities(*rows: tuple[str, str, float, float, float]) -> Frames:
    """Rows of place, type, latitude, longitude, count."""
    types = {name: column.dtype for name, column in Opportunities.columns().items()}
    frame = pl.DataFrame([("places", "v1", *row) for row in rows], schema=types, orient="row")
    return {"opportunities": Opportunities.validate(frame)}


def a_city(**frames: Any) -> Frames:
    """Everything that the marts on the router read of the toy city."""
    return toy_city(NETWORK_READ) | opportunities() | frames


def inputs(on: Night | None = None, **frames: Any) -> pl.DataFrame:
    city = a_city(**frames)
    return compute_reach_inputs(on or night(), **_without(city, "districts"))


def travel_times(mode_set: str = "all", on: Night | None = None, **frames: Any) -> pl.DataFrame:
    city = a_city(**frames)
    of_set = inputs(on, **frames).filter(mode_set=mode_set)
    read = _without(city, "districts", "opportunities")
    return compute_travel_times(on or night(), reach_inputs=of_set, **read)


def reached(on: Night | None = None, **frames: Any) -> pl.DataFrame:
    """What is reached, of all sets of inputs of a night."""
    city = a_city(**frames)
    every = inputs(on, **frames).drop_nulls("inputs_id")
    read = _without(city, "districts", "opportunities")
    found = [OpportunitiesReached.create_empty()]
    for inputs_id in every.get_column("inputs_id").unique(maintain_order=True):
        of_set = every.filter(inputs_id=inputs_id)
        times = compute_travel_times(on or night(), reach_inputs=of_set, **read)
        found.append(
            compute_opportunities_reached(
                on or night(),
                reach_inputs=of_set,
                travel_times=times,
                population_cells=city["population_cells"],
                opportunities=city["opportunities"],
            )
        )
    return pl.concat(found)


def accessibility(on: Night | None = None, **frames: Any) -> pl.DataFrame:
    city = a_city(**frames)
    return compute_accessibility(
        on or night(),
        reach_inputs=inputs(on, **frames),
        opportunities_reached=reached(on, **frames),
        population_cells=city["population_cells"],
        districts=city["districts"],
        opportunities=city["opportunities"],
    )


def metro_contribution(on: Night | None = None, **frames: Any) -> pl.DataFrame:
    return compute_metro_contribution(on or night(), accessibility=accessibility(on, **frames))


def _without(frames: Frames, *names: str) -> Frames:
    return {name: frame for name, frame in frames.items() if name not in names}
