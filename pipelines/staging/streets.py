"""Streets to walk on: nodes where they end or meet, and the links between them.

Nodes and links are those of one version of one extract of OpenStreetMap. Links can be walked in
both directions.

Left out: names and kinds of streets, and who may drive there.
"""

from __future__ import annotations

from collections.abc import Mapping

import dataframely as dy
import polars as pl

from pipelines.contracts.version import Versioned
from pipelines.night import SourceVersion
from pipelines.staging.sift import Staged, sift


class StreetNodes(Versioned):
    """One row per place where streets end or meet."""

    node_index = dy.Int32(primary_key=True, min=0, description="Node, numbered in its version.")
    latitude = dy.Float64(
        min=-90, max=90, metadata={"unit": "degree"}, description="WGS 84 latitude."
    )
    longitude = dy.Float64(
        min=-180, max=180, metadata={"unit": "degree"}, description="WGS 84 longitude."
    )


class StreetLinks(Versioned):
    """One row per stretch of street between two nodes."""

    link_index = dy.Int32(primary_key=True, min=0, description="Link, numbered in its version.")
    from_index = dy.Int32(min=0, description="Node at one end, the lower number.")
    to_index = dy.Int32(min=0, description="Node at the other end; the same where it is a loop.")
    length_m = dy.Float64(
        min_exclusive=0,
        metadata={"unit": "m"},
        description="Great-circle distances along its points, to whole millimetres.",
    )
    geometry = dy.Binary(description="Line from one end to the other, WGS 84 degrees, as WKB.")

    @dy.rule()
    def ends_in_order(cls) -> pl.Expr:  # noqa: N805 (dataframely hands in the schema)
        """A link runs from the lower number to the higher."""
        return pl.col("from_index") <= pl.col("to_index")


def stage_street_nodes(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Nodes under contract from the parser's frame ``street_nodes``."""
    return sift(StreetNodes, raw["street_nodes"], source)


def stage_street_links(raw: Mapping[str, pl.DataFrame], source: SourceVersion) -> Staged:
    """Links under contract from the parser's frame ``street_links``."""
    return sift(StreetLinks, raw["street_links"], source)
