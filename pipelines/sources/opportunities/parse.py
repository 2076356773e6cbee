"""Opportunities: how many jobs, school places, schools or clinics there are at each place.

A table (CSV, XLSX, Parquet) gives each place by `latitude` and `longitude` (WGS 84), features
(GeoPackage, GeoJSON) by their geometry. What is there is given in one of three ways:

- a column for each type, which the city file names among `columns` (``jobs = "jobs"``): each of
  our names there that is none of the others is a type of opportunity; an empty cell says nothing;
- an `opportunity_type` for each row, and how many there are in `opportunity_count` (one, without);
- a list of places alone, each of which is one opportunity of the type that the source is named for.

A place without `place_id` is numbered by its row. So the grid of residents may be a source of
opportunities too, under another name.

Left out: opening hours, admission, and how good or how full they are.
"""

from __future__ import annotations

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.features import FORMATS, read_features
from pipelines.sources.table import described, read_table, require_columns

PLACE = ("place_id", "latitude", "longitude")
TYPE, COUNT = "opportunity_type", "opportunity_count"


def parse_opportunities(payload: bytes, source: SourceVersion) -> dict[str, pl.DataFrame]:
    """The frame ``opportunities``: one row per place and type of opportunity.

    SourceError where the file can't be read, lacks a place, or gives types in two ways.
    """
    is_features = source.format in FORMATS
    places = read_features(payload, source) if is_features else read_table(payload, source)
    require_columns(places, source, ("latitude", "longitude"))
    if "place_id" not in places.columns:
        places = places.with_row_index("place_id", offset=1).cast({"place_id": pl.String})
    types = sorted(set(source.columns.values()) - {*PLACE, TYPE, COUNT})
    if types and TYPE in places.columns:
        raise SourceError(
            f"{described(source)} has a column for each type of opportunity ({', '.join(types)}) "
            f"and {TYPE!r} as well.",
            "Name in `columns` of this source either the types or `opportunity_type`.",
        )
    if types:
        return {"opportunities": _by_row(places, types)}
    if TYPE not in places.columns:
        places = places.with_columns(pl.lit(source.source_id).alias(TYPE))
    if COUNT not in places.columns:
        places = places.with_columns(pl.lit(1.0).alias(COUNT))
    return {"opportunities": places}


def _by_row(places: pl.DataFrame, types: list[str]) -> pl.DataFrame:
    """A row for each place and type that is told there, in the file's order of places."""
    numbered = places.with_row_index("row").cast(dict.fromkeys(types, pl.String))
    return (
        numbered.unpivot(types, index=["row", *PLACE], variable_name=TYPE, value_name=COUNT)
        .drop_nulls(COUNT)
        .sort("row", TYPE)
        .drop("row")
    )
