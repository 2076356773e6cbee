"""What both figures of diversion stand on: counted through trips, and read rates for them.

Rates come from audits, those made at the roadside and those made of toll transactions. Where some
station of the cordon or the ring has no rate, not even from others of its role, there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.marts.matched_trips import reading_stations
from pipelines.marts.ring_road.matching import PAIR
from pipelines.marts.ring_road.read_rates import audited_rates, ring_rates, stations_on_the_way
from pipelines.marts.ring_road.shares import shares
from pipelines.marts.ring_road.through import Through, through_traffic

AUDIT = ("station_id", "audit_date", "hour_of_day", "vehicles_seen_count", "plates_read_count")


@dataclass(frozen=True)
class Estimates:
    """Through traffic and its read rates, which are null where audits are missing."""

    through: Through
    has_roles: bool
    rates: pl.DataFrame | None
    ring: pl.DataFrame | None

    def by(self, *keys: str) -> pl.DataFrame:
        """Shares by month and other columns of the trips, as `shares.shares` tells them.

        Without stations of the ring or of the cordon there are no two ways, and no rows.
        """
        found = shares(self.through.trips, self.rates, self.ring, ("month_date", *keys))
        return found if self.has_roles else found.clear()


def estimate_through(
    matched: pl.DataFrame,
    stations: pl.DataFrame,
    audits: Sequence[pl.DataFrame],
    delivered: pl.Series,
    last_date: date,
) -> Estimates:
    """Through traffic up to a local day; `stations` and each of `audits` are as in staging."""
    placed = reading_stations(stations)
    # A day whose passages are deleted may tell of stations that have left the list since.
    listed = placed.filter(role="cordon").get_column("station_id").implode()
    between_listed = [pl.col(end).is_in(listed) for end in PAIR]
    through = through_traffic(
        matched.filter(pl.col("service_date") <= last_date, *between_listed),
        delivered.filter(delivered <= last_date),
    )
    known = pl.concat([rows.select(AUDIT) for rows in audits])
    months = through.trips.get_column("month_date").unique().sort().to_list()
    rates = audited_rates(known.filter(pl.col("audit_date") <= last_date), placed, months)
    has_roles = placed.get_column("role").n_unique() == 2
    if rates.get_column("read_rate").null_count() or not has_roles:
        return Estimates(through, has_roles, None, None)
    ring = ring_rates(stations_on_the_way(through.ring_readings), rates)
    return Estimates(through, has_roles, rates, ring)


def delivered_dates(passage_days: pl.DataFrame, matched: pl.DataFrame) -> pl.Series:
    """Local days on which any station read anything, in order.

    A day whose passages are deleted by now is known by what was matched of it.
    """
    days = pl.concat(
        [
            passage_days.select(service_date="passed_date"),
            matched.select("service_date"),
        ]
    )
    return days.get_column("service_date").unique().sort()
