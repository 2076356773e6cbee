"""The audit: Great Expectations over DuckDB, between build and publication.

Nothing reaches a reader before its checks passed. What a contract says of single rows is checked
as it stands (`contracts/checks.py`); what it can't say is in `expectations/`, a file per table.
"""
