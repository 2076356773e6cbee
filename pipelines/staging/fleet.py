"""Fleet register: vehicles of public transport with fuel, age and state, retired ones included.

The vocabulary is that of the TIDES table `vehicles` (vehicle_id, ...), extended by what a phase-out
needs and TIDES lacks: fuel and powertrain, emission standard, manufacture, entry into service,
retirement, operator, depot, state, scope, floor, route. `docs/schemas/vehicles.schema.json` is the
extension as a table schema. A blank fuel is `unknown`, a blank flag is null: neither is ever read
as a "no".

A register tells its vehicles as they stand (`staging.vehicles`), or dated: as snapshots of many
days, or as events. What it then says of the past is `staging.vehicle_states`, changes alone.

Registers often know only the year of a date. A year alone becomes its first of January, which is
flagged; dates are read as 2025-12-31, 20251231 or 31.12.2025. A spreadsheet's day number is refused
by the rule `excel_serial_date`: what it means depends on the program that wrote it.

Licence plates never come this far. Of two vehicles in service under one plate the second is refused
by the rule `one_vehicle_a_plate`; `plate_check` shows that a vehicle has another plate than before.

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
POWERTRAINS = (
    "combustion",
    "hybrid",
    "plug_in_hybrid",
    "battery_electric",
    "overhead_electric",
    "fuel_cell",
)
STATUSES = ("in_service", "reserve")
SERVICE_SCOPES = ("city", "suburban")
DATE_COLUMNS = ("manufacture_date", "in_service_date", "retirement_date")
SOURCES_OF_STATES = ("snapshot", "event")
# Column of the raw frames: the rule by which the parser refuses a row, null for most.
REFUSED_BY = "refused_by"

_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y")
_YEAR = r"^(18|19|20)\d\d$"
_EXCEL_DAY = r"^[1-9]\d{4}([.,]\d+)?$"  # 1927 to 2173 as spreadsheets count days


class VehicleState(Versioned):
    """What a register says of a vehicle."""

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
    powertrain_type = one_of(
        *POWERTRAINS,
        nullable=True,
        description="How the fuel drives it, e.g. plug_in_hybrid; null where it isn't told.",
    )
    route_id = dy.String(
        nullable=True, description="GTFS route that it is assigned to; null where it isn't told."
    )
    plate_check = dy.String(
        nullable=True,
        regex="^[0-9a-f]{4}$",
        description="16 bits of a hash of vehicle and licence plate: another plate shows, none is "
        "told.",
    )

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


class Vehicles(VehicleState):
    """One row per vehicle of a version of a fleet register, as it last stood."""


class VehicleStates(VehicleState):
    """One row per vehicle and change of a version of a dated fleet register."""

    valid_from_date = dy.Date(
        primary_key=True, description="First day on which the register had it so."
    )
    valid_to_date = dy.Date(
        nullable=True,
        description="First day on which it no longer did; null at the register's end.",
    )
    told_by = one_of(
        *SOURCES_OF_STATES,
        description="Snapshots of the whole register tell it, or events of single vehicles.",
    )

    @dy.rule()
    def ends_after_its_beginning(cls) -> pl.Expr:  # noqa: N805  # as above
        """A state lasts a day at least."""
        return pl.col("valid_to_date") > pl.col("valid_from_date")


class RegisterVersions(dy.Schema):
    """One row per object of a fleet register and run of nights on which one version governed."""

    source_id = dy.String(primary_key=True, description="Register as the city file names it.")
    object_name = dy.String(primary_key=True, description="Object as the source lists it.")
    known_from_date = dy.Date(primary_key=True, description="First night of the run.")
    known_to_date = dy.Date(
        nullable=True, description="First night on which it no longer governed; null: it does."
    )
    version_id = dy.String(description="Version that governed.")
    refused_count = dy.Int64(min=0, description="Rows of it that were refused as they now stand.")


def stage_vehicles(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Vehicles under contract; of two rows with one vehicle_id the first stays."""
    return _stage(Vehicles, raw["vehicles"], source)


def stage_vehicle_states(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """States under contract; none where the register tells how vehicles stand and no more."""
    return _stage(VehicleStates, raw["vehicle_states"], source)


def _stage(schema: type[dy.Schema], register: pl.DataFrame, source: SourceVersion) -> Staged:
    present = [name for name in DATE_COLUMNS if name in register.columns]
    parsed = {name: read_date(name, register.schema[name]) for name in present}
    texts = [_text(name, register.schema[name]) for name in present]
    years = [text.str.contains(_YEAR) for text in texts]
    parsed["has_year_only_date"] = pl.any_horizontal(pl.lit(False), *years).fill_null(False)
    fuel = pl.col("fuel_type").cast(pl.String).str.to_lowercase()
    parsed["fuel_type"] = pl.when(fuel != "").then(fuel).otherwise(pl.lit("unknown"))
    excel = pl.any_horizontal(pl.lit(False), *(text.str.contains(_EXCEL_DAY) for text in texts))
    by_parser = pl.col(REFUSED_BY) if REFUSED_BY in register.columns else pl.lit(None, pl.String)
    by_date = pl.when(excel.fill_null(False)).then(pl.lit("excel_serial_date"))
    return sift(schema, register, source, parsed, refused=pl.coalesce(by_parser, by_date))


def read_date(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as dates, null where it can't be read; a year alone is its first of January."""
    if dtype.is_temporal():
        return pl.col(name).cast(pl.Date, strict=False)
    text = _text(name, dtype)
    year = pl.when(text.str.contains(_YEAR)).then(text + "-01-01")
    read = [text.str.to_date(layout, strict=False) for layout in _DATE_FORMATS]
    return pl.coalesce(*read, year.str.to_date("%Y-%m-%d", strict=False))


def _text(name: str, dtype: pl.DataType) -> pl.Expr:
    """A date's cell as text; a year that a typed file holds as a number is its four digits."""
    column = pl.col(name)
    return (column.cast(pl.Int64, strict=False) if dtype.is_numeric() else column).cast(pl.String)
