"""What the published file says of itself: `meta.*`, and the audit's results beside it.

`meta.dictionary` says what each column holds, `meta.tables` what each table is, `meta.lineage`
what it is made from, `meta.feed_versions` on which versions of its feeds each published night
stands, `meta.sources` on which of all its sources the latest one does.
"""

from __future__ import annotations

import dataframely as dy

from pipelines.contracts.check_results import CheckResults


class Dictionary(dy.Schema):
    """One row per table and column."""

    table_name = dy.String(primary_key=True, description="Table, by schema and name.")
    column_name = dy.String(primary_key=True, description="Column of the table.")
    position = dy.Int32(min=1, description="Place of the column in the table, the first is 1.")
    data_type = dy.String(description="Type in DuckDB.")
    unit = dy.String(nullable=True, description="Unit of the values; null where there is none.")
    is_key = dy.Bool(description="Whether the column belongs to the table's primary key.")
    is_nullable = dy.Bool(description="Whether values may be missing.")
    allowed = dy.String(
        nullable=True, description="Words that the column takes, comma-separated; null: any."
    )
    description = dy.String(description="What the column holds.")
    label_en = dy.String(description="Short label in English.")
    label_kk = dy.String(description="Short label in Kazakh.")
    label_ru = dy.String(description="Short label in Russian.")
    allowed_kk = dy.String(
        nullable=True, description="The allowed words in Kazakh, '; ' between, in their order."
    )
    allowed_ru = dy.String(
        nullable=True, description="The allowed words in Russian, '; ' between, in their order."
    )


class Tables(dy.Schema):
    """One row per table of the published file."""

    table_name = dy.String(primary_key=True, description="Table, by schema and name.")
    grain = dy.String(description="What one row of it is, in English.")
    name_en = dy.String(description="Name in English.")
    name_kk = dy.String(description="Name in Kazakh.")
    name_ru = dy.String(description="Name in Russian.")
    description_kk = dy.String(description="What one row of it is, in Kazakh.")
    description_ru = dy.String(description="What one row of it is, in Russian.")
    is_extract = dy.Bool(description="Whether the ministry receives it as files.")
    row_count = dy.Int64(min=0, description="Rows in the published file.")


class Lineage(dy.Schema):
    """One row per table of the flow, down to the sources, and thing that it is made from."""

    table_name = dy.String(primary_key=True, description="Table that is made.")
    reads_name = dy.String(
        primary_key=True, description="Table that it is made from, or kind of source."
    )
    is_source_kind = dy.Bool(description="Whether that is a kind of source and no table.")
    maker = dy.String(description="Function or SELECT that makes the table.")
    is_published = dy.Bool(description="Whether the table is in the published file.")


class FeedVersions(dy.Schema):
    """One row per published service date and version of a feed that it stands on."""

    service_date = dy.Date(primary_key=True, description="Night that stands on it.")
    source_id = dy.String(primary_key=True, description="Feed.")
    version_id = dy.String(
        primary_key=True, description="Version that governs the night, as in staging.feed_versions."
    )


class Sources(dy.Schema):
    """One row per object of a source that the latest published night stands on."""

    source_id = dy.String(primary_key=True, description="Source as the city file names it.")
    object_name = dy.String(primary_key=True, description="Object as the source lists it.")
    kind = dy.String(description="Kind of source.")
    version_id = dy.String(description="Hash of its contents: a repacked zip is the same version.")
    mark = dy.String(description="What it is: measured, modelled, published or synthetic.")


CHECKS = "quality.check_results"
META: dict[str, type[dy.Schema]] = {
    "meta.dictionary": Dictionary,
    "meta.tables": Tables,
    "meta.lineage": Lineage,
    "meta.feed_versions": FeedVersions,
    "meta.sources": Sources,
    CHECKS: CheckResults,
}
