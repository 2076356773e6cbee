"""Write `extracts/schemas.toml` again: ``python -m pipelines.extract_schemas [--break TABLE ...]``.

`--break` names extracts that may lose columns or change types, and so get the next major version.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines import flow
from pipelines.errors import ContractError
from pipelines.extracts import schemas

PATH = Path(schemas.__file__).with_name(schemas.FILE)


def main() -> None:
    """Write the file; an extract that would break ends the program with one sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--break", dest="may_break", nargs="*", default=[], metavar="TABLE")
    told = parser.parse_args()
    last = schemas.read_schemas(PATH.read_text(encoding="utf-8")) if PATH.is_file() else {}
    try:
        now = schemas.next_schemas(last, flow.extracts(), told.may_break)
    except ContractError as error:
        sys.exit(str(error))
    PATH.write_text(schemas.write_schemas(now), encoding="utf-8")


if __name__ == "__main__":
    main()
