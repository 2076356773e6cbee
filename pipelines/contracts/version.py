"""What every staged row carries: the source and the version of the object it was read from."""

from __future__ import annotations

import dataframely as dy


class Versioned(dy.Schema):
    """Columns that every staging table begins with."""

    source_id = dy.String(
        primary_key=True, description="Source as the city file names it; for GTFS, the feed."
    )
    version_id = dy.String(
        primary_key=True,
        description="Hash of the contents the row was read from; for GTFS, the feed version.",
    )
