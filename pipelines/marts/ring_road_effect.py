"""The ring road's effect: by how much an event changed the traffic at each place, or why not told.

For each event of the city file, vehicle class and place: the volume after the event as a multiple
of what it would have been without it (`ring_road.effect`, which has definition, checks and plan).
Places are the stations of the cordon, the screenlines and the ring, and all screenlines' sum. The
controls are the stations of that role. Weeks alone count, so the answer changes on Sundays, late
counts and sensors' health apart. Days on which a sensor was broken (`ring_road.health.broken_days`)
count as missing; of events whose weeks reach into those that sensors' health tells of, stations
whose counts are of no use are left out.

A number is told only where every check holds; else there is a reason, and nothing beside it that
would tell the number. One place in twenty has p below 0.05 where nothing happened: whoever reads
the whole table takes `p_value_adjusted` (Holm), over the places of one event and class.

A city without events has no rows. Left out: how an effect grows; what no control road is free of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import Figure, one_of, stamp
from pipelines.marts.ring_road.effect.diagnostics import CONTROL, DID, INTERRUPTED, Checks
from pipelines.marts.ring_road.effect.headline import METHOD, Basis, Effect, Refusal, headlines
from pipelines.marts.ring_road.effect.holm import with_adjusted_p_values
from pipelines.marts.ring_road.effect.panel import WEEK_DAYS, weekly_outcomes
from pipelines.marts.ring_road.effect.plan import Plan
from pipelines.marts.ring_road.effect.ratio import Ratio
from pipelines.marts.ring_road.health.broken_days import broken_days
from pipelines.marts.ring_road.station_days import station_days
from pipelines.marts.sensor_health import STEP_DAYS, SensorHealth
from pipelines.night import Event, Night
from pipelines.staging.count_station_days import CountStationDays
from pipelines.staging.traffic import VEHICLE_CLASSES, CountStations

STATION, GROUP = "station", "role group"
CONTROL_ROLE, SCREENLINE = "control", "screenline"
TREATED_ROLES = ("cordon", "ring", SCREENLINE)
ALL_SCREENLINES = "all screenlines"
_DIGITS = 6
_PER_TEST = ("event_id", "vehicle_class")


def _ratio(description: str) -> dy.Float64:
    return dy.Float64(
        nullable=True, min=0, metadata={"unit": "ratio"}, description=f"{description}; 1: none."
    )


def _number(description: str, unit: str = "ratio") -> dy.Float64:
    return dy.Float64(nullable=True, min=0, metadata={"unit": unit}, description=description)


def _chance(description: str) -> dy.Float64:
    return dy.Float64(
        nullable=True, min=0, max=1, metadata={"unit": "share"}, description=description
    )


def _count(description: str, unit: str, *, nullable: bool = False) -> dy.Int64:
    return dy.Int64(nullable=nullable, min=0, metadata={"unit": unit}, description=description)


class RingRoadEffect(Figure):
    """One row per service date, event, vehicle class and place."""

    event_id = dy.String(primary_key=True, description="Event, as the city file names it.")
    vehicle_class = one_of(
        *VEHICLE_CLASSES, primary_key=True, description="Class of vehicle, or all together."
    )
    place_kind = one_of(
        STATION, GROUP, primary_key=True, description="A station, or the sum of a role's stations."
    )
    place_id = dy.String(primary_key=True, description="The station, or the group's name.")
    place_role = one_of(*TREATED_ROLES, description="Role of the station or stations.")
    road_name = dy.String(nullable=True, description="Road that the station stands on.")
    event_name = dy.String(nullable=True, description="What the event is, in words.")
    event_first_date = dy.Date(description="First day of the event.")
    event_settled_date = dy.Date(description="Day from which it is what it became.")
    event_source_address = dy.String(nullable=True, description="Where its dates were told.")
    ratio = _ratio("Volume after the event over what it would have been without it")
    ratio_low = _ratio("Lower 95 % bound of the ratio")
    ratio_high = _ratio("Upper 95 % bound of the ratio")
    standard_error = _number("Standard error of the ratio's natural logarithm.", "log ratio")
    p_value = _chance("Chance of as large an effect, either way, where there is none.")
    p_value_adjusted = _chance(
        "The same for who reads all places of this event and class (Holm's correction)."
    )
    rank_p_value = _chance("The same by rank among placebo stations, without a distribution.")
    tested_place_count = _count("Places of this event and class that have a ratio.", "places")
    did_ratio = _ratio("Ratio by difference in differences")
    did_ratio_low = _ratio("Its lower 95 % bound")
    did_ratio_high = _ratio("Its upper 95 % bound")
    synthetic_control_ratio = _ratio("Ratio by synthetic control")
    synthetic_control_ratio_low = _ratio("Its lower 95 % bound")
    synthetic_control_ratio_high = _ratio("Its upper 95 % bound")
    interrupted_ratio = _ratio("Ratio by interrupted time series, which uses no control")
    interrupted_ratio_low = _ratio("Its lower 95 % bound")
    interrupted_ratio_high = _ratio("Its upper 95 % bound")
    before_rmse_ratio = _number("Error of fit before the event over the median control's.")
    placebo_date_errors = _number(
        "Largest effect at dates on which nothing happened, in standard errors.", "standard errors"
    )
    claiming_placebo_count = _count(
        "Controls that would claim an effect by the same interval.", "stations", nullable=True
    )
    leave_one_out_errors = _number(
        "Largest change without one control, in standard errors.", "standard errors"
    )
    control_spread_ratio = _number(
        "How far controls moved apart at the event, over the farthest at any other date."
    )
    control_count = _count("Control stations that were used, or are left.", "stations")
    left_out_controls = dy.String(
        nullable=True, description="Controls that were left out, with the reasons; null: none."
    )
    before_from_date = dy.Date(nullable=True, description="First day of the weeks before.")
    before_to_date = dy.Date(nullable=True, description="Last day of the weeks before.")
    before_week_count = _count("Weeks before the event.", "weeks")
    after_from_date = dy.Date(nullable=True, description="First day of the weeks after.")
    after_to_date = dy.Date(nullable=True, description="Last day of the weeks after.")
    after_week_count = _count("Weeks after the event.", "weeks")
    left_out_week_count = _count("Weeks left out since few stations counted.", "weeks")
    filled_week_count = _count("Weeks of the place that were interpolated.", "weeks")
    plan_sha256 = dy.String(
        regex="^[0-9a-f]{64}$",
        description="Hash of the analysis plan's values and the city's events.",
    )

    @dy.rule()
    def null_has_a_reason(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """A ratio is null exactly where a reason says why."""
        return pl.col("ratio").is_null() == pl.col("reason").is_not_null()

    @dy.rule()
    def all_or_nothing(cls) -> pl.Expr:  # noqa: N805  # as above
        """Interval, p-values and checks are there exactly where the ratio is."""
        return pl.all_horizontal(
            pl.col(name).is_null() == pl.col("ratio").is_null() for name in _BESIDE_A_RATIO
        )

    @dy.rule()
    def ratio_within_bounds(cls) -> pl.Expr:  # noqa: N805  # as above
        """The bounds enclose the ratio."""
        return pl.col("ratio").is_between("ratio_low", "ratio_high")


_BESIDE_A_RATIO = (
    *("ratio_low", "ratio_high", "standard_error", "p_value", "p_value_adjusted", "rank_p_value"),
    *("did_ratio", "did_ratio_low", "did_ratio_high"),
    *("synthetic_control_ratio", "synthetic_control_ratio_low", "synthetic_control_ratio_high"),
    *("interrupted_ratio", "interrupted_ratio_low", "interrupted_ratio_high"),
    *("before_rmse_ratio", "placebo_date_errors", "claiming_placebo_count"),
    *("leave_one_out_errors", "control_spread_ratio"),
)


def compute_ring_road_effect(
    night: Night,
    *,
    count_stations: dy.DataFrame[CountStations],
    count_station_days: dy.DataFrame[CountStationDays],
    sensor_health: dy.DataFrame[SensorHealth],
    events: tuple[Event, ...],
) -> dy.DataFrame[RingRoadEffect]:
    """An answer for every event, class and place, sorted by key; no rows without events.

    Station ids are one vocabulary for all inputs, whatever source each comes from.
    """
    stations = _listed(count_stations)
    plan = Plan(events=events)
    days = _sound_days(count_station_days, stations, night.service_date)
    told_from = night.service_date - timedelta(days=STEP_DAYS - 1)
    unfit = {
        event.event_id: _unfit(sensor_health)
        for event in events
        if plan.window(event.event_id).after_until > told_from
    }
    rows = [
        row
        for vehicle_class in (VEHICLE_CLASSES if events else ())
        for row in _answers(
            days.filter(vehicle_class=vehicle_class), vehicle_class, stations, unfit, plan
        )
    ]
    schema = {name: column.dtype for name, column in RingRoadEffect.columns().items()}
    own = {name: dtype for name, dtype in schema.items() if name not in _ADDED_LATER}
    judged = with_adjusted_p_values(pl.DataFrame(rows, schema=own), _PER_TEST).join(
        _places(stations), on=["place_kind", "place_id"], how="left", validate="m:1"
    )
    rounded = judged.with_columns(pl.col(pl.Float64).round(_DIGITS))
    stamped = stamp(rounded, night, method=METHOD).select(schema.keys())
    return RingRoadEffect.validate(stamped.sort(RingRoadEffect.primary_key()))


_ADDED_LATER = (
    *("service_date", "day_type", "departure_window", "method", "mark"),
    *("place_role", "road_name", "p_value_adjusted", "tested_place_count"),
)


def _listed(count_stations: pl.DataFrame) -> pl.DataFrame:
    """Each station once."""
    return count_stations.sort("source_id", "version_id", "station_id").unique(
        "station_id", keep="first", maintain_order=True
    )


def _sound_days(
    count_station_days: pl.DataFrame, stations: pl.DataFrame, service_date: date
) -> pl.DataFrame:
    """Station-days of the weeks that are over, without those of broken sensors."""
    days = station_days(count_station_days, _last_sunday(service_date))
    broken = broken_days(days, stations.get_column("station_id"))
    return days.join(broken, on=["station_id", "service_date"], how="anti")


def _last_sunday(day: date) -> date:
    """The last day of the last week that is over on the evening of the day."""
    return day - timedelta(days=day.isoweekday() % WEEK_DAYS)


def _unfit(sensor_health: pl.DataFrame) -> dict[str, str]:
    """Stations that count, and whose counts are of no use, with what is wrong.

    One that is silent has gaps, which the panel judges by the weeks of each event.
    """
    is_unfit = (pl.col("health_weight") == 0) & (pl.col("complete_day_count") > 0)
    told = pl.format("sensor health: {}", pl.col("findings").fill_null("of no use"))
    return dict(sensor_health.filter(is_unfit).select("station_id", told).iter_rows())


def _places(stations: pl.DataFrame) -> pl.DataFrame:
    """(place_kind, place_id, place_role, road_name) of all that is measured."""
    kind, group = pl.lit(STATION).alias("place_kind"), pl.lit(None, pl.String)
    each = stations.filter(pl.col("role").is_in(TREATED_ROLES)).select(
        kind, place_id="station_id", place_role="role", road_name="road_name"
    )
    line = {"place_kind": GROUP, "place_id": ALL_SCREENLINES, "place_role": SCREENLINE}
    return pl.concat([each, pl.DataFrame(line).with_columns(road_name=group)])


def _answers(
    days: pl.DataFrame,
    vehicle_class: str,
    stations: pl.DataFrame,
    unfit: Mapping[str, Mapping[str, str]],
    plan: Plan,
) -> Iterator[dict[str, Any]]:
    """The rows of one class, from its station-days; `unfit` stations by event, with the reasons."""
    outcomes = weekly_outcomes(days, plan)
    by_role = {role: names for (role,), names in stations.group_by("role")}

    def of(role: str) -> list[str]:
        return by_role[role].get_column("station_id").to_list() if role in by_role else []

    for event in plan.events:
        answers = headlines(
            outcomes,
            treated_ids=[name for role in TREATED_ROLES for name in of(role)],
            control_ids=of(CONTROL_ROLE),
            event_id=event.event_id,
            sums={ALL_SCREENLINES: sorted(of(SCREENLINE))},
            unfit=unfit.get(event.event_id, {}),
            plan=plan,
        )
        for answer in answers:
            yield {
                "vehicle_class": vehicle_class,
                "place_kind": GROUP if answer.station_id == ALL_SCREENLINES else STATION,
                "place_id": answer.station_id,
                **_told_of_event(event),
                **_told_of_basis(answer.basis),
                **_told(answer),
            }


def _told_of_event(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "event_name": event.event_name,
        "event_first_date": event.first_date,
        "event_settled_date": event.settled_date,
        "event_source_address": event.source_address,
    }


def _told_of_basis(basis: Basis) -> dict[str, Any]:
    left_out = [f"{name}: {told}" for name, told in sorted(basis.left_out.items())]
    return {
        "control_count": basis.control_count,
        "left_out_controls": "; ".join(left_out) or None,
        "before_from_date": basis.first_before_date,
        "before_to_date": _end(basis.last_before_date),
        "before_week_count": basis.before_count,
        "after_from_date": basis.first_after_date,
        "after_to_date": _end(basis.last_after_date),
        "after_week_count": basis.after_count,
        "left_out_week_count": basis.left_out_period_count,
        "filled_week_count": basis.filled_period_count,
        "plan_sha256": basis.plan_sha256,
    }


def _end(monday: date | None) -> date | None:
    return monday and monday + timedelta(days=WEEK_DAYS - 1)


def _told(answer: Effect | Refusal) -> dict[str, Any]:
    """The estimate with its checks, or the reasons alone."""
    if isinstance(answer, Refusal):
        return {"reason": "; ".join(answer.reasons)}
    return {
        **_with_bounds("ratio", answer.headline),
        "standard_error": answer.standard_error,
        "p_value": answer.headline.p_value,
        "rank_p_value": answer.rank_p_value,
        **_told_of_checks(answer.checks),
    }


def _told_of_checks(checks: Checks) -> dict[str, Any]:
    return {
        **_with_bounds("did_ratio", checks.others[DID]),
        **_with_bounds("synthetic_control_ratio", checks.others[CONTROL]),
        **_with_bounds("interrupted_ratio", checks.others[INTERRUPTED]),
        "before_rmse_ratio": checks.before_rmse_ratio,
        "placebo_date_errors": checks.placebo_date_errors,
        "claiming_placebo_count": checks.claiming_placebo_count,
        "leave_one_out_errors": checks.leave_one_out_errors,
        "control_spread_ratio": checks.control_spread_ratio,
    }


def _with_bounds(name: str, found: Ratio) -> dict[str, float]:
    return {name: found.ratio, f"{name}_low": found.low, f"{name}_high": found.high}
