"""Files of one table: headings, words, blanks, dialects and clear errors."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.table import raw_slices, read_table, require_columns

REGISTER = "Гос. номер;Топливо;Год\nA1;  дизель ;2016\n;;\nA2;Газ;\n"


def a_source(
    file_format: str = "csv",
    columns: Mapping[str, str] | None = None,
    terms: Mapping[str, Mapping[str, str]] | None = None,
) -> SourceVersion:
    return SourceVersion(
        source_id="register",
        version_id="v1",
        object_name=f"register.{file_format}",
        format=file_format,
        columns=columns or {},
        terms=terms or {},
    )


A_MOMENT = datetime(2020, 3, 4, 5, 6)  # noqa: DTZ001 (a spreadsheet knows no time zone)
A_MIDNIGHT = datetime(2020, 3, 5)  # noqa: DTZ001 (the same)

MAPPED = a_source(
    columns={"Гос. номер": "vehicle_id", "Топливо": "fuel_type"},
    terms={"fuel_type": {"Дизель": "diesel", "газ": "cng"}},
)
EXPECTED = {"vehicle_id": ["A1", "A2"], "fuel_type": ["diesel", "cng"], "Год": ["2016", None]}


def a_workbook(rows: list[list[object]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        sheet = book.add_worksheet()
        dated = book.add_format({"num_format": "dd.mm.yyyy"})
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                if isinstance(cell, date):
                    sheet.write_datetime(row, column, cell, dated)
                else:
                    sheet.write(row, column, cell)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_headings_and_words_are_mapped_whatever_the_dialect(encoding: str, newline: str) -> None:
    payload = REGISTER.replace("\n", newline).encode(encoding)
    assert read_table(payload, MAPPED).to_dict(as_series=False) == EXPECTED


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_an_unnamed_first_column_shifts_nothing(separator: str) -> None:
    payload = f"{separator}b\n1{separator}2"
    assert read_table(payload.encode(), a_source()).to_dict(as_series=False) == {"b": ["2"]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_read_from_the_headings(separator: str) -> None:
    payload = separator.join("abc") + "\n" + separator.join("123")
    assert read_table(payload.encode(), a_source()).rows() == [("1", "2", "3")]


def test_unnamed_columns_are_left_out_and_broken_headings_are_squeezed() -> None:
    payload = b',"Equipment\n  ID",\n0,7610,x\n'
    table = read_table(payload, a_source(columns={"Equipment ID": "vehicle_id"}))
    assert table.to_dict(as_series=False) == {"vehicle_id": ["7610"]}


def test_a_mapped_column_replaces_one_that_has_its_name() -> None:
    table = read_table(b"population,p50\n1,2\n", a_source(columns={"p50": "population"}))
    assert table.to_dict(as_series=False) == {"population": ["2"]}


def test_a_workbook_gives_text_with_dates_without_their_midnight() -> None:
    payload = a_workbook(
        [
            ["id", "entered", "read", "n"],
            [1406, date(2020, 3, 4), A_MOMENT, 2.5],
            [],
            ["A7", "2019", A_MIDNIGHT, None],
        ]
    )
    assert read_table(payload, a_source("xlsx")).to_dict(as_series=False) == {
        "id": ["1406", "A7"],
        "entered": ["2020-03-04", "2019"],
        "read": ["2020-03-04 05:06:00", "2020-03-05 00:00:00"],
        "n": ["2.5", None],
    }


def test_parquet_keeps_its_types_and_maps_words() -> None:
    rows = pl.DataFrame(
        {"id": [1, 2], "fuel": ["  ", "ДТ"], "shape": [b"\0", None]},
        schema_overrides={"id": pl.Int16},
    )
    buffer = io.BytesIO()
    rows.with_columns(pl.col("fuel").cast(pl.Categorical)).write_parquet(buffer)
    table = read_table(buffer.getvalue(), a_source("parquet", terms={"fuel": {"дт": "diesel"}}))
    assert table.schema == {"id": pl.Int16, "fuel": pl.String}
    assert table.rows() == [(1, None), (2, "diesel")]


def test_a_table_without_rows_is_a_table() -> None:
    assert read_table(b"a,b", a_source()).to_dict(as_series=False) == {"a": [], "b": []}


def test_a_renamed_heading_is_named_with_the_nearest() -> None:
    payload = REGISTER.replace("Топливо", "Топлива").encode()
    with pytest.raises(SourceError, match="lacks the heading 'Топливо'; the nearest are 'Топлива'"):
        read_table(payload, MAPPED)


@pytest.mark.parametrize(
    ("payload", "source", "message"),
    [
        (b"", a_source(), "is empty"),
        (b"\n \t\n", a_source(), "is empty"),
        (b"\xef\xbb\xbf", a_source(), "is empty"),
        (b"a,b\n1,2\n3,4,5\n", a_source(), "row 2 has 3 cells under 2 headings"),
        (b'a,b\n"1"x,2\n', a_source(), "no regular CSV"),
        ("a\nё".encode("cp1251"), a_source(), "is not UTF-8: byte 3"),
        (b"a,a\n1,2\n", a_source(), "more than once the heading 'a'"),
        (b"a,b\n1,2\n", a_source(columns={"a": "x", "b": "x"}), "mapped to 'x'"),
        (b"a\n1\n", a_source(terms={"b": {"1": "one"}}), "lacks the column 'b', whose words"),
        (b"PK\x03\x04", a_source("xlsx"), "no readable workbook"),
        (a_workbook([]), a_source("xlsx"), "empty first sheet"),
        (b"PAR1 and no more", a_source("parquet"), "no readable Parquet"),
        (b"a\n1\n", a_source("zip"), "has the format 'zip', which is no table"),
    ],
)
def test_what_cannot_be_read_says_why(payload: bytes, source: SourceVersion, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_table(payload, source)
    assert source.object_name in caught.value.what
    assert caught.value.remedy


def test_missing_columns_are_named_with_those_present() -> None:
    table = read_table(b"a,b\n1,2\n", a_source())
    require_columns(table, a_source(), ["b"])
    with pytest.raises(SourceError, match=r"lacks the column 'c', 'd'; it has 'a', 'b'"):
        require_columns(table, a_source(), ["a", "c", "d"])


def test_a_real_register_with_a_byte_order_mark(shared_data: Path) -> None:
    payload = (shared_data / "fleet/pvta/vehicles-summary.csv").read_bytes()
    columns = {"Equipment ID": "vehicle_id", "Type": "fuel_type", "Operator": "operator_name"}
    table = read_table(payload, a_source(columns=columns))
    filled = [line for line in payload.decode("utf-8-sig").splitlines()[1:] if line.strip(", ")]
    assert table.height == len(filled)
    assert table.columns == ["operator_name", "Model", "fuel_type", "Year", "vehicle_id"]


def test_a_parquet_file_comes_in_slices_and_other_files_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.sources.table.SLICE_ROWS", 2)
    frame = pl.DataFrame({"a": ["1", "2", "3"], "raw": [b"x", b"y", b"z"], "b": [1, 2, 3]})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    headings, slices = raw_slices(buffer.getvalue(), a_source("parquet"))
    assert headings == ["a", "b"]
    assert [part.rows() for part in slices] == [[("1", 1), ("2", 2)], [("3", 3)]]

    empty = io.BytesIO()
    frame.clear().write_parquet(empty)
    headings, slices = raw_slices(empty.getvalue(), a_source("parquet"))
    assert [part.shape for part in slices] == [(0, 2)]

    headings, slices = raw_slices(b"a,b\n1,2\n3,4\n", a_source("csv"))
    assert (headings, [part.height for part in slices]) == (["a", "b"], [2])
    with pytest.raises(SourceError, match="is no readable Parquet file"):
        raw_slices(b"PAR1 no", a_source("parquet"))
