"""Stops, routes and shapes of a feed."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.gtfs.feed import stage_agency
from pipelines.staging.gtfs.rows import staged
from pipelines.staging.gtfs.validation import Validation
from pipelines.staging.sift import Staged

# Location types that GTFS allows to have no coordinates: generic nodes and boarding areas.
PLACELESS_TYPES = (3, 4)


class Stops(Versioned):
    """One row per stop, platform, station, entrance, node or boarding area (`location_type`)."""

    stop_id = dy.String(primary_key=True, description="Place, unique in its feed.")
    stop_code = dy.String(nullable=True, description="Short code that riders see.")
    stop_name = dy.String(nullable=True, description="Name as riders know it.")
    stop_desc = dy.String(nullable=True, description="Description.")
    stop_lat = dy.Float64(
        nullable=True, min=-90, max=90, metadata={"unit": "degree"}, description="WGS84 latitude."
    )
    stop_lon = dy.Float64(
        nullable=True,
        min=-180,
        max=180,
        metadata={"unit": "degree"},
        description="WGS84 longitude.",
    )
    zone_id = dy.String(nullable=True, description="Fare zone.")
    stop_url = dy.String(nullable=True, description="Address of a page about it.")
    location_type = dy.Int32(
        min=0,
        max=4,
        description="0 stop or platform, 1 station, 2 entrance, 3 node, 4 boarding area.",
    )
    parent_station = dy.String(nullable=True, description="The station it belongs to.")
    stop_timezone = dy.String(nullable=True, description="Time zone, where not the agency's.")
    wheelchair_boarding = dy.Int32(
        nullable=True, min=0, max=2, description="0 unknown, 1 possible for some, 2 not possible."
    )
    level_id = dy.String(nullable=True, description="Level of the station.")
    platform_code = dy.String(nullable=True, description="Platform's number or letter.")

    @dy.rule()
    def coordinates_present(cls) -> pl.Expr:  # noqa: N805  # a dataframely rule is a class method
        """Stops, stations and entrances have coordinates."""
        has_place = pl.col("stop_lat").is_not_null() & pl.col("stop_lon").is_not_null()
        return has_place | pl.col("location_type").is_in(PLACELESS_TYPES)


class Routes(Versioned):
    """One row per route."""

    route_id = dy.String(primary_key=True, description="Route, unique in its feed.")
    agency_id = dy.String(nullable=True, description="Agency that runs it.")
    route_short_name = dy.String(nullable=True, description="Number or letter riders know.")
    route_long_name = dy.String(nullable=True, description="Full name.")
    route_desc = dy.String(nullable=True, description="Description.")
    route_type = dy.Int32(
        min=0,
        max=1799,
        description="Mode: 0 tram, 1 metro, 2 rail, 3 bus, 4 ferry, 5-12 others, 100+ extended.",
    )
    route_url = dy.String(nullable=True, description="Address of a page about it.")
    route_color = dy.String(nullable=True, description="Colour as RRGGBB.")
    route_text_color = dy.String(nullable=True, description="Colour of text on it as RRGGBB.")


class Shapes(Versioned):
    """One row per point of a shape, the line that a vehicle drives."""

    shape_id = dy.String(primary_key=True, description="Shape, unique in its feed.")
    shape_pt_sequence = dy.Int32(primary_key=True, min=0, description="Order along the shape.")
    shape_pt_lat = dy.Float64(
        min=-90, max=90, metadata={"unit": "degree"}, description="WGS84 latitude."
    )
    shape_pt_lon = dy.Float64(
        min=-180, max=180, metadata={"unit": "degree"}, description="WGS84 longitude."
    )
    shape_dist_traveled = dy.Float64(
        nullable=True, min=0, description="Distance from its start in the feed's distance_unit."
    )


def stage_stops(feed: Validation, source: SourceVersion) -> Staged:
    """Stops with their location type; a parent station that is no stop of the feed is null."""
    return staged(
        Stops, feed.files.get("stops"), source, location_type=pl.col("location_type").fill_null(0)
    )


def stage_routes(feed: Validation, source: SourceVersion) -> Staged:
    """Routes; in a feed with one agency those without agency_id belong to it."""
    agencies = stage_agency(feed, source).rows.get_column("agency_id")
    agency = pl.col("agency_id")
    if agencies.len() == 1:
        agency = agency.fill_null(agencies.item())
    return staged(Routes, feed.files.get("routes"), source, agency_id=agency)


def stage_shapes(feed: Validation, source: SourceVersion) -> Staged:
    """Points of shapes."""
    return staged(Shapes, feed.files.get("shapes"), source)
