"""`sql/roles/open_tables.sql`: what of the lake an analysts' role may read, written from the flow.

    python -m pipelines.open_tables sql/roles/open_tables.sql

That is what goes out: every mart but those that are in the lake alone, and the staging tables that
are published. No table of single vehicles is among them, nor is quarantine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines import flow

HEAD = """\
-- What analysts may read of the lake: generated from pipelines/flow.py by `make docs`.
BEGIN;
CREATE SCHEMA IF NOT EXISTS qala_access;
REVOKE ALL ON SCHEMA qala_access FROM PUBLIC;
CREATE TABLE IF NOT EXISTS qala_access.open_tables (
  schema_name text NOT NULL,
  table_name text NOT NULL,
  PRIMARY KEY (schema_name, table_name)
);
DELETE FROM qala_access.open_tables;
INSERT INTO qala_access.open_tables (schema_name, table_name) VALUES
"""


def open_tables_sql() -> str:
    """The statements that list the open tables."""
    rows = [f"  ('{t.schema}', '{t.short_name}')" for t in flow.published_tables()]
    return HEAD + ",\n".join(rows) + ";\nCOMMIT;\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(open_tables_sql(), encoding="utf-8")
