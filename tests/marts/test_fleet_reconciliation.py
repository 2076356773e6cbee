"""Fleet reconciliation: each verdict on a toy register, and Almaty's statements as published."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.city_file import load_city
from pipelines.landable import describe_version
from pipelines.marts.fleet_reconciliation import compute_fleet_reconciliation
from pipelines.marts.vehicle_history import compute_vehicle_history
from pipelines.night import SourceVersion
from pipelines.sample import make_object
from pipelines.settings import ROOT
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.sources.fleet.published import parse_fleet_snapshots
from pipelines.staging.fleet import (
    RegisterVersions,
    stage_vehicle_states,
    stage_vehicles,
)
from pipelines.staging.fleet_snapshots import stage_fleet_snapshots
from tests.marts.toy_registers import a_history, night

TODAY = date(2026, 11, 20)
HEADINGS = (
    "snapshot_id,as_of,scope_text,status_scope,service_scope,vehicle_count,diesel_count,"
    "clean_share,source_address"
)


def published(*rows: str) -> pl.DataFrame:
    source = SourceVersion("told", "v1", "snapshots.csv", "csv")
    payload = "\n".join([HEADINGS, *(f"{row},where" for row in rows)]).encode()
    staged = stage_fleet_snapshots(parse_fleet_snapshots(payload, source), source)
    assert staged.quarantine.is_empty()
    return staged.rows


CITY, OUT = {"service_scope": "city"}, {"service_scope": "suburban"}
HISTORY = a_history(
    {**CITY, "status": "in_service"},
    {**CITY, "status": "in_service", "fuel_type": "cng"},
    {**CITY, "status": "reserve", "fuel_type": "electric"},
    {**OUT, "status": "in_service", "valid_to_date": date(2026, 1, 31)},
    {**OUT, "status": "in_service", "fuel_type": "unknown"},
    known=TODAY,
)  # seen at work from 2026-01-31 on


def verdicts(*rows: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = compute_fleet_reconciliation(
        night(TODAY),
        vehicle_history=HISTORY,  # type: ignore[arg-type]  # toy rows
        fleet_snapshots=published(*rows),  # type: ignore[arg-type]
    )
    return {(row["snapshot_id"], row["indicator"]): row for row in found.iter_rows(named=True)}


def test_the_verdicts() -> None:
    rows = verdicts(
        "same,2026-03-05,all,with reserve,city and suburban,4,1,0.5",
        "other,2026-03-05,all,in service,city and suburban,4,1,0.5",
        "none,2026-03-05,all,in service,city and suburban,9,,",
        "open,2026-03,city,,city,3,,0.67",
        "early,2025-12,city,,city,3,,",
        "later,2026-12-01,city,,city,3,,",
    )
    told = {key: (row["verdict"], row["register_value"], row["register_scope"], row["difference"])
            for key, row in rows.items()}  # fmt: skip
    everywhere = "with reserve, city and suburban"
    assert told == {
        ("same", "fleet"): ("equal", 4, everywhere, 0),
        ("same", "diesel"): ("equal", 1, everywhere, 0),
        ("same", "clean share"): ("equal", 0.5, everywhere, 0),
        ("other", "fleet"): ("another scope", 3, everywhere, -1),
        ("other", "diesel"): ("equal", 1, "in service, city and suburban", 0),
        ("other", "clean share"): ("another scope", 0.333333333, "in service, city", -0.166666667),
        ("none", "fleet"): ("not explained", 3, None, -6),
        # Whether the reserve is in it wasn't told: one of the two has it.
        ("open", "fleet"): ("equal", 3, "with reserve, city", 0),
        ("open", "clean share"): ("equal", 0.666666667, "with reserve, city", -0.003333333),
        ("early", "fleet"): ("not comparable", None, None, None),
    }
    assert rows["early", "fleet"]["reason"] == "the register does not reach back to this day"
    assert rows["open", "fleet"]["as_of_date"] == date(2026, 3, 31)


def test_statements_without_a_number_or_a_day_are_refused() -> None:
    source = SourceVersion("told", "v1", "snapshots.csv", "csv")
    rows = ["a,2026-03,all,,,,,,where", "b,March 2026,all,,,4,,,where", "c,2026-03,all,,,4,,1.5,x"]
    raw = parse_fleet_snapshots("\n".join([HEADINGS, *rows]).encode(), source)
    staged = stage_fleet_snapshots(raw, source)
    assert staged.rows.is_empty()
    assert sorted(staged.quarantine.select("row_number", "rule").rows()) == [
        (2, "says_something"),
        (3, "as_of_date|unparsable"),
        (4, "clean_share|max"),
    ]


@pytest.mark.slow
def test_almaty_s_statements_stand_as_published_and_the_sample_has_the_last_two() -> None:
    city = load_city(ROOT / "cities" / "almaty.toml")
    told = describe_version(city, "fleet_snapshots", "almaty.fleet_snapshots.csv", "v1")
    payload = Path(ROOT / "cities" / told.object_name).read_bytes()
    staged = stage_fleet_snapshots(parse_fleet_snapshots(payload, told), told)
    assert staged.quarantine.is_empty()
    dates = staged.rows.sort("as_of_date").get_column("as_of_date").dt.year().unique().to_list()
    assert sorted(dates) == [2014, 2018, 2023, 2025]

    source = describe_version(city, "fleet", "fleet_register.csv", "v1")
    raw = parse_fleet(make_object("fleet", source.object_name, TODAY), source)
    versions = pl.DataFrame(
        [("fleet", "fleet_register.csv", TODAY, None, "v1", 0)],
        schema={name: column.dtype for name, column in RegisterVersions.columns().items()},
        orient="row",
    )
    history = compute_vehicle_history(
        vehicles=stage_vehicles(raw, source).rows,  # type: ignore[arg-type]  # just staged
        vehicle_states=stage_vehicle_states(raw, source).rows,  # type: ignore[arg-type]
        register_versions=RegisterVersions.validate(versions),
    )
    rows = compute_fleet_reconciliation(
        night(TODAY),
        vehicle_history=history,
        fleet_snapshots=staged.rows,  # type: ignore[arg-type]
    )
    last = rows.filter(pl.col("as_of_date") == date(2025, 12, 8))
    assert last.height == 12
    assert set(last.get_column("verdict")) == {"equal"}
    fleets = last.filter(indicator="fleet").get_column("published_value").to_list()
    assert sorted(fleets) == [2939, 3517]
    # What was claimed before contradicts itself: no register has it all.
    early = rows.filter(pl.col("as_of_date") < date(2018, 8, 1))
    assert set(early.get_column("verdict")) == {"not explained"}
    buses = rows.filter(snapshot_id="2018-08 city buses").row(0, named=True)
    assert (buses["published_value"], buses["verdict"]) == (1560, "equal")
