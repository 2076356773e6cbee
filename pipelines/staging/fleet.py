"""Fleet register: vehicles of public transport with fuel, age and state, retired ones included.

The vocabulary is that of the TIDES table `vehicles` (vehicle_id, model_name, ...), extended by
what a phase-out needs and TIDES lacks: fuel, emission standard, entry into service, retirement,
state, scope. A blank fuel is `unknown`, a blank flag is null: neither is ever read as a "no".

Registers often know only the year of a date. A year alone becomes its first of January, which is
flagged; dates are read as 2025-12-31, 20251231 or 31.12.2025.

Left out: the register's other columns. A vehicle whose fuel word nobody mapped goes to quarantine
by the rule `known_fuel_type`, so a new word is seen before it changes a share.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.figure import one_of
from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift

FUEL_TYPES = (
    "diesel",
    "cng",
    "lpg",
    "petrol",
    "hybrid",
    "electric",
    "trolleybus",
    "hydrogen",
    "unknown",
)
STATUSES = ("in_service", "reserve")
SERVICE_SCOPES = ("city", "suburban")
DATE_COLUMNS = ("manufacture_date", "in_service_date", "retirement_date")

_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y")
_YEAR = r"^(18|19|20)\d\d$"


class Vehicles(Versioned):
    """One row per vehicle of a version of a fleet register."""

    vehicle_id = dy.String(
        primary_key=True, description="Vehicle's number in the register; TIDES vehicle_id."
    )
    operator_name = dy.String(
        nullable=True, description="Carrier that runs the vehicle; null where it isn't told."
    )
    depot_name = dy.String(nullable=True, description="Depot that the vehicle belongs to.")
    fuel_type = dy.String(
        description="What the vehicle is driven by; 'unknown' where the register is blank.",
        metadata={"allowed": list(FUEL_TYPES)},
    )
    emission_standard = dy.String(
        nullable=True, description="Emission standard as registered, e.g. Euro V; null if blank."
    )
    manufacture_date = dy.Date(nullable=True, description="Day on which the vehicle was made.")
    in_service_date = dy.Date(nullable=True, description="First day in service.")
    retirement_date = dy.Date(
        nullable=True, description="First day out of service for good; null while it serves."
    )
    has_year_only_date = dy.Bool(
        description="Whether a date was a year alone, taken as its first of January."
    )
    status = one_of(
        *STATUSES,
        nullable=True,
        description="Whether the vehicle runs or stands in reserve; null where it isn't told.",
    )
    service_scope = one_of(
        *SERVICE_SCOPES,
        nullable=True,
        description="Whether it serves city or suburban routes; null where it isn't told.",
    )
    is_step_free = dy.Bool(
        nullable=True, description="Whether it is boarded without a step; null is unknown."
    )
    model_name = dy.String(nullable=True, description="Make and model.")

    @dy.rule()
    def known_fuel_type(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """The fuel is a word of ours: an unmapped word of the register's is none."""
        return pl.col("fuel_type").is_in(FUEL_TYPES)

    @dy.rule()
    def retirement_not_before_entry(cls) -> pl.Expr:  # noqa: N805  # as above
        """A vehicle isn't retired before it enters service; a year alone may be the entry's."""
        entry, retired = pl.col("in_service_date"), pl.col("retirement_date")
        may_be_year = pl.col("has_year_only_date") & (retired.dt.ordinal_day() == 1)
        return (retired >= entry) | (may_be_year & (retired.dt.year() == entry.dt.year()))


def stage_vehicles(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Vehicles under contract; of two rows with one vehicle_id the first stays."""
    register = raw["vehicles"]
    present = [name for name in DATE_COLUMNS if name in register.columns]
    parsed = {name: _date(name, register.schema[name]) for name in present}
    years = [_text(name, register.schema[name]).str.contains(_YEAR) for name in present]
    parsed["has_year_only_date"] = pl.any_horizontal(pl.lit(False), *years).fill_null(False)
    fuel = pl.col("fuel_type").cast(pl.String).str.to_lowercase()
    parsed["fuel_type"] = pl.when(fuel != "").then(fuel).otherwise(pl.lit("unknown"))
    return sift(Vehicles, register, source, parsed)


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A date's cell as text; a year that a typed file holds as a number is its four digits."""
    column = pl.col(name)
    return (column.cast(pl.Int64, strict=False) if dtype.is_numeric() else column).cast(pl.String)


def _date(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_temporal():
        return pl.col(name).cast(pl.Date)
    text = _text(name, dtype)
    year = pl.when(text.str.contains(_YEAR)).then(text + "-01-01")
    read = [text.str.to_date(layout, strict=False) for layout in _DATE_FORMATS]
    return pl.coalesce(*read, year.str.to_date("%Y-%m-%d", strict=False))
