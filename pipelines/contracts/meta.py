"""What the published file says of itself: `meta.*`."""

from __future__ import annotations

import dataframely as dy


class Tables(dy.Schema):
    """One row per table of the published file."""

    table_name = dy.String(primary_key=True, description="Table.")
    grain = dy.String(description="What one row of it is.")
    maker = dy.String(description="Function that makes it.")
    reads = dy.String(nullable=True, description="Tables it is made from; null: a source.")
    is_extract = dy.Bool(description="Whether the ministry receives it as files.")
    row_count = dy.Int64(min=0, description="Rows in the published file.")


class Sources(dy.Schema):
    """One row per object of a source that the latest published night stands on."""

    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    object_name = dy.String(primary_key=True, description="Object as the source lists it.")
    kind = dy.String(description="Kind of source.")
    version_id = dy.String(description="Hash of its contents: a repacked zip is the same version.")
    mark = dy.String(description="What it is: measured, modelled, published or synthetic.")
