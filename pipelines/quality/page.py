"""The page of checks: what the audit found, on one static page without scripts or addresses.

The worst comes first, table by table and within each. Nothing tells when it was made: the same
results give the same page.
"""

from __future__ import annotations

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines.night import Night

_VERDICTS = ("failed", "not run", "warning", "passed")  # worst first


def render_checks_page(results: pl.DataFrame, night: Night) -> str:
    """The page as HTML, complete in itself. `results` are rows of `CheckResults`."""
    checks = results.with_columns(verdict=_verdict())
    tables = [
        {
            "name": str(name),
            "counts": _counts(rows),
            "checks": rows.sort("rank", "check_name").to_dicts(),
            "worst": rows.get_column("rank").min(),
        }
        for (name,), rows in checks.with_columns(rank=_rank())
        .sort("table_name")
        .group_by("table_name", maintain_order=True)
    ]
    tables.sort(key=lambda table: (table["worst"], table["name"]))
    page = _environment().get_template("checks.html.j2")
    is_blocked = checks.filter(severity="critical").get_column("is_passed").not_().any()
    return page.render(
        night=night, counts=_counts(checks), tables=tables, total=checks.height, blocked=is_blocked
    )


def _verdict() -> pl.Expr:
    failed = ~pl.col("is_passed")
    return (
        pl.when(~pl.col("is_run"))
        .then(pl.lit("not run"))
        .when(failed & (pl.col("severity") == "warning"))
        .then(pl.lit("warning"))
        .when(failed)
        .then(pl.lit("failed"))
        .otherwise(pl.lit("passed"))
    )


def _rank() -> pl.Expr:
    return pl.col("verdict").replace_strict(_VERDICTS, range(len(_VERDICTS)))


def _counts(checks: pl.DataFrame) -> dict[str, int]:
    """Checks by verdict, worst first, none left out."""
    verdicts = checks.get_column("verdict")
    return {verdict: int((verdicts == verdict).sum()) for verdict in _VERDICTS}


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pipelines.quality"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
