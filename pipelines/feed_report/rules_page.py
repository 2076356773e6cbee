"""The page of validation rules (docs/feed-rules.md), generated from them: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.not_raised import NOT_RAISED
from pipelines.staging.gtfs.rules.rule import registered

HEADING = """\
# Rules for GTFS feeds

Generated from the rules themselves (`make docs`); a test proves it fresh. Codes and severities are
those of the [Canonical GTFS Schedule Validator](https://gtfs-validator.mobilitydata.org/rules.html)
8; a defect for which it has no code gets one of ours, marked *extension*. Every rule ends as pass,
fail, not applicable or not run, and `qala validate FEED` tells all four. ERROR: the reference says
*must*. WARNING: it says *should*, or good practice does. INFO: worth knowing.

Beyond the canonical validator, a file is read on after what stops it there (a column named twice, a
quote that never closes), so that one report tells everything; extended route types (100 to 1799)
are no findings.
"""


def render_rules_page() -> str:
    """The page as Markdown."""
    waiting = {rule.code: rule.waits for rule in registered() if rule.waits}
    lines = [HEADING]
    for severity in ("ERROR", "WARNING", "INFO"):
        codes = [code for code in sorted(CODES) if CODES[code].severity == severity]
        lines += [f"## {severity} ({len(codes)})", "", "| code | what breaks it |", "|---|---|"]
        for code in codes:
            mark = " *extension*" if CODES[code].is_extension else ""
            meaning = CODES[code].meaning.replace("|", "\\|")
            lines.append(f"| `{code}`{mark} | {meaning} |")
        lines.append("")
    lines += ["## Not covered", "", "| code | why |", "|---|---|"]
    for code, reason in sorted({**NOT_RAISED, **waiting}.items()):
        lines.append(f"| `{code}` | {reason[0].upper()}{reason[1:].rstrip('.')}. |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_rules_page(), encoding="utf-8")
