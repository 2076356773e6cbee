"""Fleet register: a toy one in Russian, bad rows by rule, typed files, and a real register."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.staging.fleet import Vehicles, stage_vehicles
from pipelines.staging.sift import Staged

TOY = SourceVersion(
    source_id="fleet",
    version_id="v1",
    object_name="register.csv",
    format="csv",
    columns={
        "Гаражный номер": "vehicle_id",
        "Перевозчик": "operator_name",
        "Топливо": "fuel_type",
        "Выпуск": "manufacture_date",
        "Ввод": "in_service_date",
        "Списание": "retirement_date",
        "Состояние": "status",
        "Низкий пол": "is_step_free",
    },
    terms={
        "fuel_type": {"дизель": "diesel", "газ": "cng", "троллейбус": "trolleybus"},
        "status": {"на линии": "in_service", "резерв": "reserve"},
        "is_step_free": {"да": "true", "нет": "false"},
    },
)
HEADINGS = "Гаражный номер,Перевозчик,Топливо,Выпуск,Ввод,Списание,Состояние,Низкий пол"


def staged(*rows: str) -> Staged:
    payload = "\n".join([HEADINGS, *rows]).encode("utf-8-sig")
    return stage_vehicles(parse_fleet(payload, TOY), TOY)


def rules(result: Staged) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in result.quarantine.select("row_number", "rule").rows()]


def test_a_register_in_russian_keeps_unknowns_unknown() -> None:
    result = staged(
        "A1,Green Bus,Дизель,2010,2011-02-03,,на линии,нет",
        "A2,,газ,05.06.2019,20190701,2025-12-01,резерв,",
        "A3,Green Bus,,,,,,да",
    )
    assert not result.quarantine.height
    rows = Vehicles.validate(result.rows).select(
        "vehicle_id",
        "operator_name",
        "fuel_type",
        "manufacture_date",
        "in_service_date",
        "retirement_date",
        "has_year_only_date",
        "status",
        "is_step_free",
    )
    made, entered, left = date(2019, 6, 5), date(2019, 7, 1), date(2025, 12, 1)
    first = (date(2010, 1, 1), date(2011, 2, 3), None, True)
    assert rows.rows() == [
        ("A1", "Green Bus", "diesel", *first, "in_service", False),
        ("A2", None, "cng", made, entered, left, False, "reserve", None),
        ("A3", "Green Bus", "unknown", None, None, None, False, None, True),
    ]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("B1,X,мазут,2010,,,,", "known_fuel_type"),
        ("B1,X,газ,2010,2020-05-01,2020-04-30,,", "retirement_not_before_entry"),
        ("B1,X,газ,2010,2020-05-01,2019,,", "retirement_not_before_entry"),
        ("B1,X,газ,2010-13-01,,,,", "manufacture_date|unparsable"),
        ("B1,X,газ,45000,,,,", "manufacture_date|unparsable"),
        ("B1,X,газ,2010,,,,может быть", "is_step_free|unparsable"),
        (",X,газ,2010,,,,", "vehicle_id|nullability"),
        ("A0,X,газ,2010,,,,", "primary_key|repeated"),
    ],
)
def test_a_bad_row_goes_to_quarantine_by_its_rule(row: str, rule: str) -> None:
    result = staged("A0,X,дизель,2010,,,,", row)
    assert rules(result) == [(3, rule)]
    assert result.rows.get_column("fuel_type").to_list() == ["diesel"]


def test_a_retirement_known_by_year_may_follow_an_entry_in_that_year() -> None:
    result = staged("A1,X,газ,2010,2019-05-01,2019,,")
    assert not result.quarantine.height


def test_a_typed_register_is_read_like_a_text_one() -> None:
    register = pl.DataFrame(
        {
            "vehicle_id": [7, 8],
            "fuel_type": ["CNG", None],
            "manufacture_date": [2016.0, None],
            "in_service_date": [date(2017, 1, 2), None],
            "is_step_free": [True, None],
        }
    )
    buffer = io.BytesIO()
    register.write_parquet(buffer)
    source = SourceVersion("fleet", "v1", "register.parquet", "parquet")
    result = stage_vehicles(parse_fleet(buffer.getvalue(), source), source)
    assert not result.quarantine.height
    columns = ("vehicle_id", "fuel_type", "manufacture_date", "in_service_date", "is_step_free")
    assert result.rows.select(columns).rows() == [
        ("7", "cng", date(2016, 1, 1), date(2017, 1, 2), True),
        ("8", "unknown", None, None, None),
    ]


def test_a_register_without_fuels_is_refused_by_the_column_it_lacks() -> None:
    source = SourceVersion("fleet", "v1", "register.csv", "csv", columns={"No": "vehicle_id"})
    with pytest.raises(SourceError, match=r"lacks the column 'fuel_type'; it has 'vehicle_id', 'F"):
        parse_fleet(b"No,Fuel\nA1,diesel\n", source)


def test_a_renamed_heading_is_refused_by_name() -> None:
    payload = (HEADINGS.replace("Топливо", "Вид топлива") + "\n").encode()
    with pytest.raises(SourceError, match="lacks the heading 'Топливо'"):
        parse_fleet(payload, TOY)


def test_a_real_register_stages_like_an_independent_count(shared_data: Path) -> None:
    path = shared_data / "fleet" / "pvta" / "vehicles-summary.csv"
    source = SourceVersion(
        source_id="pvta",
        version_id="v1",
        object_name=path.name,
        format="csv",
        columns={
            "Operator": "operator_name",
            "Model": "model_name",
            "Type": "fuel_type",
            "Year": "manufacture_date",
            "Equipment ID": "vehicle_id",
        },
        terms={"fuel_type": {"conventional": "diesel"}},
    )
    with path.open(encoding="utf-8-sig", newline="") as register:
        rows = list(csv.DictReader(register))
    first_of = {row["Equipment ID"]: row for row in reversed(rows)}
    result = stage_vehicles(parse_fleet(path.read_bytes(), source), source)

    assert result.rows.height == len(first_of)
    assert result.refused == len(rows) - len(first_of) == 1
    assert result.quarantine.get_column("rule").to_list() == ["primary_key|repeated"]
    years = Counter((row["Type"], int(row["Year"])) for row in first_of.values())
    made = pl.col("manufacture_date").dt.year().alias("year")
    counted = result.rows.group_by("fuel_type", made).len()
    words = {"diesel": "conventional"}
    assert {(words.get(f, f), year): n for f, year, n in counted.rows()} == years
    nameless = sum(1 for row in first_of.values() if not row["Operator"])
    assert result.rows.get_column("operator_name").null_count() == nameless == 2
    assert result.rows.get_column("has_year_only_date").all()
