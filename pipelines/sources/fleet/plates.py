"""Licence plates of a register: what is worth knowing of them, without them.

A plate can be personal data, and a plain hash of one is found by trying all plates. So plates are
read while the register is parsed and dropped there. What stays:

- `plate_check`: the first 16 bits of SHA-256 over vehicle number and plate. Another plate on the
  same vehicle shows (one change in 65,536 does not); thousands of plates share each value.
- `refused_by` = `one_vehicle_a_plate` for a vehicle in service whose plate is, letter case and
  signs apart, that of a vehicle in service further up.
"""

from __future__ import annotations

import hashlib

import polars as pl

from pipelines.staging.fleet import REFUSED_BY

PLATE = "license_plate"  # as TIDES names it
CHECK_DIGITS = 4  # hexadecimal: 16 bits
TWICE = "one_vehicle_a_plate"


def without_plates(vehicles: pl.DataFrame) -> pl.DataFrame:
    """The rows with `plate_check` and `refused_by` in the place of plates, in their order.

    Rows with a `valid_to_date` are of the past, those with a `retirement_date` out of service:
    their plates may be on other vehicles now.
    """
    if PLATE not in vehicles.columns:
        return vehicles
    serving = in_use(vehicles)
    plates = pl.DataFrame({"plate": serving, "vehicle": vehicles.get_column("vehicle_id")})
    first = pl.col("vehicle").first().over("plate")
    is_twice = plates.select(pl.col("plate").is_not_null() & (pl.col("vehicle") != first))
    refused = pl.when(is_twice.to_series()).then(pl.lit(TWICE))
    before = pl.col(REFUSED_BY) if REFUSED_BY in vehicles.columns else pl.lit(None, pl.String)
    return with_checks(vehicles).with_columns(pl.coalesce(before, refused).alias(REFUSED_BY))


def in_use(vehicles: pl.DataFrame) -> pl.Series:
    """Plates as letters and digits alone; null where blank or not of a vehicle in use."""
    text = pl.col(PLATE).cast(pl.String).str.to_uppercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    ended = [name for name in ("retirement_date", "valid_to_date") if name in vehicles.columns]
    is_over = pl.any_horizontal(pl.lit(False), *(pl.col(name).is_not_null() for name in ended))
    return vehicles.select(pl.when((text != "") & ~is_over).then(text)).to_series()


def with_checks(vehicles: pl.DataFrame) -> pl.DataFrame:
    """The rows with `plate_check` in the place of plates."""
    ids = vehicles.get_column("vehicle_id").cast(pl.String)
    plates = in_use(vehicles.select("vehicle_id", PLATE))
    checks = [_check(vehicle, plate) for vehicle, plate in zip(ids, plates, strict=True)]
    return vehicles.drop(PLATE).with_columns(plate_check=pl.Series(checks, dtype=pl.String))


def _check(vehicle_id: str | None, plate: str | None) -> str | None:
    if vehicle_id is None or plate is None:
        return None
    return hashlib.sha256(f"{vehicle_id}\0{plate}".encode()).hexdigest()[:CHECK_DIGITS]
