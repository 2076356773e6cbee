"""Fleet register: a toy one in Russian, bad rows by rule, typed files, and a real register."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.fleet.parse import parse_fleet
from pipelines.staging.fleet import Vehicles, stage_vehicle_states, stage_vehicles
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
        ("B1,X,газ,45000,,,,", "excel_serial_date"),
        ("B1,X,газ,,43831.5,,,", "excel_serial_date"),
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


KAZAKH = SourceVersion(
    source_id="fleet",
    version_id="v1",
    object_name="tizilim.xlsx",
    format="xlsx",
    columns={
        "Гараж нөмірі": "vehicle_id",
        "Тасымалдаушы": "operator_name",
        "Отын түрі": "fuel_type",
        "Іске қосылған күні": "in_service_date",
        "Мемлекеттік нөмірі": "license_plate",
        "Маршрут": "route_id",
    },
    terms={"fuel_type": {"дизель": "diesel", "электр": "electric"}},
)


def a_workbook(*rows: tuple[object, ...]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write_datetime(number, place, cell, day)
                else:
                    sheet.write(number, place, cell)
    return buffer.getvalue()


def test_a_workbook_in_kazakh_with_a_date_that_is_a_number() -> None:
    payload = a_workbook(
        tuple(KAZAKH.columns),
        ("101", "Жасыл желі", "электр", date(2024, 5, 6), "777 AB 02", "R12"),
        ("102", "Жасыл желі", "Дизель", 43831, "778 AB 02", ""),
    )
    result = stage_vehicles(parse_fleet(payload, KAZAKH), KAZAKH)
    assert rules(result) == [(3, "excel_serial_date")]
    columns = ("vehicle_id", "operator_name", "fuel_type", "in_service_date", "route_id")
    assert result.rows.select(columns).rows() == [
        ("101", "Жасыл желі", "electric", date(2024, 5, 6), "R12")
    ]


def typed(register: pl.DataFrame) -> Staged:
    buffer = io.BytesIO()
    register.write_parquet(buffer)
    source = SourceVersion("fleet", "v1", "register.parquet", "parquet")
    return stage_vehicles(parse_fleet(buffer.getvalue(), source), source)


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("in_service_date", [True, False], "in_service_date|unparsable"),
        ("is_step_free", ["so so", "very"], "is_step_free|unparsable"),
        ("status", [1, 2], "status|check"),
        ("fuel_type", [1.5, 2.5], "known_fuel_type"),
    ],
)
def test_a_column_of_the_wrong_kind_is_refused_row_by_row(
    column: str, values: list[object], rule: str
) -> None:
    register = pl.DataFrame({"vehicle_id": ["1", "2"], "fuel_type": ["cng", "cng"]})
    result = typed(register.with_columns(pl.Series(column, values)))
    assert result.rows.is_empty()
    assert rules(result) == [(2, rule), (3, rule)]


def test_a_column_of_lists_is_refused_as_a_whole() -> None:
    register = pl.DataFrame({"vehicle_id": ["1"], "fuel_type": ["cng"], "status": [["reserve"]]})
    with pytest.raises(SourceError, match="has lists or structures in 'status'"):
        typed(register)


def test_numbers_that_a_spreadsheet_made_decimal_are_numbers_again() -> None:
    register = pl.DataFrame({"vehicle_id": [1406.0, 7.5, None], "fuel_type": ["cng"] * 3})
    result = typed(register)
    assert result.rows.get_column("vehicle_id").to_list() == ["1406", "7.5"]
    assert rules(result) == [(4, "vehicle_id|nullability")]


PLATED = SourceVersion("fleet", "v1", "register.csv", "csv")


def plated(*rows: str) -> Staged:
    payload = "\n".join(["vehicle_id,fuel_type,retirement_date,license_plate", *rows]).encode()
    return stage_vehicles(parse_fleet(payload, PLATED), PLATED)


def test_of_two_vehicles_with_one_plate_the_second_is_refused_and_no_plate_is_kept() -> None:
    result = plated(
        "1,diesel,,777 AB 02",
        "2,cng,,777ab-02",  # the same plate, written otherwise
        "3,cng,2020-01-01,777 AB 02",  # retired: the plate went on
        "4,cng,,",
        "1,diesel,,777 AB 02",  # the same vehicle twice is another rule's
    )
    assert rules(result) == [(3, "one_vehicle_a_plate"), (6, "primary_key|repeated")]
    checks = result.rows.select("vehicle_id", "plate_check")
    assert [check is None for _, check in checks.rows()] == [False, False, True]
    everything = str(result.rows.to_dicts()) + str(result.quarantine.to_dicts())
    assert "777" not in everything


def test_another_plate_has_another_check() -> None:
    before = plated("1,diesel,,777 AB 02").rows.item(0, "plate_check")
    assert plated("1,diesel,,777-AB-02").rows.item(0, "plate_check") == before
    assert plated("1,diesel,,778 AB 02").rows.item(0, "plate_check") != before
    assert plated("2,diesel,,777 AB 02").rows.item(0, "plate_check") != before


def dated(text: str) -> tuple[Staged, Staged]:
    raw = parse_fleet(text.encode(), PLATED)
    return stage_vehicles(raw, PLATED), stage_vehicle_states(raw, PLATED)


def spans(states: Staged) -> list[tuple[object, ...]]:
    columns = ("vehicle_id", "valid_from_date", "valid_to_date", "fuel_type")
    return sorted(states.rows.select(columns).rows())


def day(number: int) -> date:
    return date(2026, 1, number)


SNAPSHOTS = """\
snapshot_date,vehicle_id,fuel_type,operator_name
2026-01-01,1,diesel,Green
2026-01-01,2,cng,Green
2026-01-03,2,cng,Green
2026-01-03,1,diesel,Green
2026-01-05,1,cng,Green
2026-01-05,3,cng,Blue
2026-01-05,3,diesel,Blue
2026-01-07,1,cng,Green
2026-01-07,2,cng,Green
,9,cng,Green
2026-01-07,4,coal,Green
"""


def test_snapshots_become_changes() -> None:
    vehicles, states = dated(SNAPSHOTS)
    assert spans(states) == [
        ("1", day(1), day(5), "diesel"),
        ("1", day(5), None, "cng"),
        ("2", day(1), day(5), "cng"),
        ("2", day(7), None, "cng"),  # it was gone on the 5th
        ("3", day(5), day(7), "cng"),  # the first of its two rows
    ]
    assert rules(states) == [
        (8, "one_row_a_snapshot"),
        (11, "snapshot_date|unparsable"),
        (12, "known_fuel_type"),
    ]
    assert vehicles.rows.select("vehicle_id", "fuel_type").sort("vehicle_id").rows() == [
        ("1", "cng"),
        ("2", "cng"),
    ]


def test_a_whole_register_tells_no_states() -> None:
    vehicles, states = dated("vehicle_id,fuel_type\n1,cng\n")
    assert (vehicles.rows.height, states.rows.height, states.refused) == (1, 0, 0)


def test_a_plate_on_two_vehicles_of_one_snapshot() -> None:
    _, states = dated(
        "snapshot_date,vehicle_id,fuel_type,license_plate\n"
        "2026-01-01,1,cng,A1\n2026-01-01,2,cng,A1\n2026-01-02,1,cng,A1\n2026-01-03,2,cng,a-1\n"
    )
    # On the third day the plate is the other vehicle's alone.
    assert spans(states) == [("1", day(1), day(3), "cng"), ("2", day(3), None, "cng")]
    assert rules(states) == [(3, "one_vehicle_a_plate")]


EVENTS = """\
event_date,event_type,vehicle_id,fuel_type,operator_name,in_service_date
2026-01-01,entered,1,diesel,Green,2025-12-30
2026-01-05,changed,1,cng,,
2026-01-09,left,1,,,
2026-01-12,entered,1,electric,Blue,
2026-01-02,entered,2,cng,Green,
2026-01-03,left,3,,,
2026-01-04,sold,2,,,
soon,changed,2,diesel,,
2026-01-02,changed,2,diesel,,
"""


def test_events_become_states() -> None:
    vehicles, states = dated(EVENTS)
    assert spans(states) == [
        ("1", day(1), day(5), "diesel"),
        ("1", day(5), day(9), "cng"),
        ("1", day(12), None, "electric"),
        ("2", day(2), None, "cng"),
    ]
    assert rules(states) == [
        (7, "left_without_entry"),
        (8, "known_event_type"),
        (9, "event_date|unparsable"),
        (10, "one_event_a_day"),
    ]
    second = states.rows.filter(valid_from_date=day(5)).row(0, named=True)
    # A blank cell stays as it was; the day it left is the day of its retirement.
    assert (second["operator_name"], second["in_service_date"]) == ("Green", date(2025, 12, 30))
    assert second["retirement_date"] == day(9)
    now = vehicles.rows.select("vehicle_id", "fuel_type", "in_service_date", "retirement_date")
    assert sorted(now.rows()) == [("1", "electric", day(12), None), ("2", "cng", day(2), None)]


def test_a_register_of_two_forms_or_without_a_date_is_refused() -> None:
    with pytest.raises(SourceError, match="tells both snapshots and events"):
        dated("snapshot_date,event_type,vehicle_id,fuel_type\n2026-01-01,left,1,cng\n")
    with pytest.raises(SourceError, match="lacks the column 'event_date'"):
        dated("event_type,vehicle_id,fuel_type\nleft,1,cng\n")
    with pytest.raises(SourceError, match="no readable date in the column 'snapshot_date'"):
        dated("snapshot_date,vehicle_id,fuel_type\nlater,1,cng\n")
