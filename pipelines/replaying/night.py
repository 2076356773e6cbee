"""The replay itself: stage what was landed, make the figures, audit and publish, without fetching.

    python -m pipelines.replaying.night DATE VERSIONS.json

runs by the environment (`QALA_CITY`, `QALA_DATA`) on a lake that `state` has filled, with whatever
code lies in the working folder: the checkout of another version is told the same. `close` is not
run, since it forgets what is too old, and landing here is the original's.

Exit code 0: published. 1: the night failed, and why is printed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path

from pipelines import run
from pipelines.city_file import load_city
from pipelines.errors import QalaError
from pipelines.ingest import Load
from pipelines.settings import load_settings
from pipelines.sources.fetch import Fetched
from pipelines.warehouse.lake import open_lake

RUN_ID = "replay"
Told = dict[str, str]


def main(arguments: Sequence[str]) -> int:
    """Replay one night; the exit code is as the module says."""
    key, versions = arguments
    try:
        stage(json.loads(Path(versions).read_text(encoding="utf-8")))
        for mart in run.schedule().marts:
            run.build(mart, key, RUN_ID)
        run.audit(key, RUN_ID)
        run.publish(key, RUN_ID)
    except QalaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def stage(versions: Sequence[Told]) -> None:
    """Stage landed versions, each as on the first night that loaded it."""
    settings = load_settings()
    city = load_city(settings.city_file)
    with open_lake(settings, run_id=RUN_ID) as lake:
        for (source_id, day), found in groupby(
            versions, key=lambda told: (told["source_id"], told["service_date"])
        ):
            loading = Load(lake, settings, city, source_id, date.fromisoformat(day))
            loading.stage(
                [
                    Fetched(
                        told["object_name"],
                        "new",
                        sha256=told["sha256"],
                        version_id=told["version_id"],
                    )
                    for told in found
                ]
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
