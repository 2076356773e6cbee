"""Extract files: the same bytes for the same rows, and the rows come back as they went in."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import UTC, date, datetime
from typing import Any

import dataframely as dy
import fastexcel
import polars as pl
import pytest

from pipelines.contracts.canonical import in_key_order
from pipelines.contracts.translations import Labels, Words
from pipelines.extracts import open_data
from pipelines.extracts.files import ExtractFile, extract_files
from pipelines.extracts.open_data import Telling, json_files
from pipelines.extracts.spreadsheet import MOST_CELL_LETTERS, spreadsheet

HOSTILE = [
    "=HYPERLINK('http://evil')",
    "+1-2",
    "-1+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    "  =1+1",
    "\t=1+1",
    "'quoted",
    "\uff1d1+1",  # a full-width equals sign
    '<script>alert("x")</script>',
    "\u202egpj.exe",  # read from right to left
    'кубик "Б", синий',
    "line\r\nbreak",
    "\x01\x0b\ufffe",
    "http://example.org",
    "007",
    "1e5",
    "",
    "ә" * (MOST_CELL_LETTERS + 1),
]


class Toys(dy.Schema):
    """One row per toy and day."""

    made_date = dy.Date(primary_key=True, description="Day on which it was made.")
    toy_name = dy.String(primary_key=True, description="Its name.")
    sold_share = dy.Float64(nullable=True, description="Share sold.", metadata={"unit": "share"})
    sold_count = dy.Int64(nullable=True, description="Number sold.")
    seen_at = dy.Datetime(nullable=True, time_zone="UTC", description="When it was seen.")
    is_new = dy.Bool(description="Whether it is new.")


ROWS = pl.DataFrame(
    {
        "made_date": [date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 1)],
        "toy_name": ["ball", 'кубик "Б", синий', ""],
        "sold_share": [0.1, None, 1 / 3],
        "sold_count": [3, None, 2**60],
        "seen_at": [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, None],
        "is_new": [True, False, False],
    },
    schema_overrides={"seen_at": pl.Datetime("us", "UTC")},
)
HOSTILE_ROWS = pl.DataFrame(
    {
        "made_date": [date(2026, 1, 1)] * len(HOSTILE),
        "toy_name": HOSTILE,
        "sold_share": [-0.5] * len(HOSTILE),
        "sold_count": [-3] * len(HOSTILE),
        "seen_at": pl.Series([None] * len(HOSTILE), dtype=pl.Datetime("us", "UTC")),
        "is_new": [True] * len(HOSTILE),
    }
)
TELLING = Telling(
    Words("Toys", "Ойыншықтар", "Игрушки", "One row per toy.", "Бір жол.", "Одна строка."),
    lambda column: Labels(f"{column} en", f"{column} kk", f"{column} ru"),
    {"table": "marts.toys", "schema_version": "1.0"},
)


def files(rows: pl.DataFrame = ROWS) -> dict[str, ExtractFile]:
    return {file.name: file for file in extract_files("toys", rows, Toys, TELLING)}


def read_csv(payload: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(payload.decode(), newline="")))


def sheet(payload: bytes, name: str = "toys") -> pl.DataFrame:
    return fastexcel.read_excel(payload).load_sheet(name).to_polars()


def test_the_order_of_rows_does_not_matter() -> None:
    assert list(files()) == [
        *("toys.csv", "toys.parquet", "toys.xlsx", "toys.json", "toys.meta.json")
    ]
    assert files(ROWS.reverse()) == files()


def test_csv_is_rfc_4180_and_tells_null_from_empty() -> None:
    assert files()["toys.csv"].payload.decode() == (
        "made_date,toy_name,sold_share,sold_count,seen_at,is_new\r\n"
        '2026-01-01,"",0.3333333333333333,1152921504606846976,,false\r\n'
        '2026-01-01,"кубик ""Б"", синий",,,,false\r\n'
        "2026-01-02,ball,0.1,3,2026-01-02T03:04:05Z,true\r\n"
    )


def test_no_cell_of_a_csv_is_a_formula_and_every_name_comes_back() -> None:
    told = [row["toy_name"] for row in read_csv(files(HOSTILE_ROWS)["toys.csv"].payload)]
    assert not [name for name in told if re.match(r"[=+\-@\t\r\n\uff1d]|\s+[=+\-@]", name)]
    assert sorted(name.removeprefix("'") for name in told if name != "'quoted") == sorted(HOSTILE)
    assert "''quoted" in told
    numbers = read_csv(files(HOSTILE_ROWS)["toys.csv"].payload)[0]
    assert (numbers["sold_share"], numbers["sold_count"]) == ("-0.5", "-3")


def test_parquet_holds_the_same_rows() -> None:
    for rows in (ROWS, HOSTILE_ROWS):
        payload = files(rows)["toys.parquet"].payload
        assert pl.read_parquet(io.BytesIO(payload)).equals(in_key_order(rows, Toys))


def test_json_holds_the_same_rows() -> None:
    told = json.loads(files()["toys.json"].payload)
    assert told == [
        {
            "made_date": "2026-01-01",
            "toy_name": "",
            "sold_share": 1 / 3,
            "sold_count": 2**60,
            "seen_at": None,
            "is_new": False,
        },
        {
            "made_date": "2026-01-01",
            "toy_name": 'кубик "Б", синий',
            "sold_share": None,
            "sold_count": None,
            "seen_at": None,
            "is_new": False,
        },
        {
            "made_date": "2026-01-02",
            "toy_name": "ball",
            "sold_share": 0.1,
            "sold_count": 3,
            "seen_at": "2026-01-02T03:04:05Z",
            "is_new": True,
        },
    ]
    told = json.loads(files(HOSTILE_ROWS)["toys.json"].payload)
    assert sorted(row["toy_name"] for row in told) == sorted(HOSTILE)


def test_json_is_split_by_whole_rows_in_order() -> None:
    ordered = in_key_order(HOSTILE_ROWS.filter(pl.col("toy_name").str.len_chars() < 99), Toys)
    whole = json_files("toys", ordered)["toys.json"]
    most = len(whole.payload) // 3
    parts = json_files("toys", ordered, most_bytes=most)
    assert list(parts) == [f"toys.part-{number:03d}.json" for number in range(1, len(parts) + 1)]
    assert len(parts) > 3
    assert max(len(part.payload) for part in parts.values()) <= most
    told = [row for part in parts.values() for row in json.loads(part.payload)]
    assert told == json.loads(whole.payload)
    assert [part.row_count for part in parts.values()] == [
        len(json.loads(part.payload)) for part in parts.values()
    ]
    assert list(json_files("toys", ordered, most_bytes=len(whole.payload))) == ["toys.json"]
    assert len(json_files("toys", ordered, most_bytes=len(whole.payload) - 1)) == 2
    with pytest.raises(ValueError, match="more than a file may hold"):
        json_files("toys", ordered, most_bytes=100)


def test_parts_are_named_in_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "__kwdefaults__", {"most_bytes": 300})
    split = files()
    assert json.loads(split["toys.meta.json"].payload)["parts"] == [
        "toys.part-001.json",
        "toys.part-002.json",
    ]
    assert [(f.part, f.part_count) for f in split.values() if f.form == "json"] == [(1, 2), (2, 2)]
    assert open_data.MOST_BYTES == 10_000_000


def test_metadata_names_everything_in_three_languages() -> None:
    told = json.loads(files()["toys.meta.json"].payload)
    assert [told[key] for key in ("nameKk", "nameRu", "nameEn")] == [
        *("Ойыншықтар", "Игрушки", "Toys")
    ]
    assert told["descriptionRu"] == "Одна строка."
    assert list(told["fields"]) == list(Toys.columns())
    assert told["fields"]["made_date"] == {
        "type": "Date",
        "pk": True,
        "labelKk": "made_date kk",
        "labelRu": "made_date ru",
        "labelEn": "made_date en",
        "format": "yyyy-MM-dd",
    }
    types = [field["type"] for field in told["fields"].values()]
    assert types == ["Date", "String", "Double", "Integer", "Datetime", "Boolean"]


def test_a_spreadsheet_holds_the_same_rows_in_typed_cells() -> None:
    payload = files()["toys.xlsx"].payload
    told = sheet(payload)
    assert told.get_column("made_date").cast(pl.Date).to_list() == sorted(ROWS["made_date"])
    assert told.get_column("sold_share").to_list() == [1 / 3, None, 0.1]
    assert told.get_column("is_new").to_list() == [False, False, True]
    assert told.get_column("seen_at").to_list() == [None, None, datetime(2026, 1, 2, 3, 4, 5)]  # noqa: DTZ001  # a cell has no zone
    with zipfile.ZipFile(io.BytesIO(payload)) as book:
        first = book.read("xl/worksheets/sheet1.xml").decode()
        styles = book.read("xl/styles.xml").decode()
    assert 'state="frozen"' in first
    assert all(form in styles for form in ("0.0%", "#,##0", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))


def test_a_spreadsheet_holds_every_digit() -> None:
    shares = [11.879534565366187, 0.1 + 0.2, 1e-7, -5e-324, 1.7976931348623157e308, 2.0**53]
    rows = pl.concat([ROWS[:1]] * len(shares)).with_columns(sold_share=pl.Series(shares))
    told = sheet(files(rows)["toys.xlsx"].payload).get_column("sold_share").to_list()
    assert sorted(told) == sorted(shares)


def test_a_whole_number_that_a_cell_would_round_is_written_as_text() -> None:
    told: Any = sheet(files()["toys.xlsx"].payload).get_column("sold_count").to_list()
    assert [str(value).removesuffix(".0") for value in told] == [str(2**60), "None", "3"]


def test_no_cell_of_a_spreadsheet_is_a_formula_or_a_link() -> None:
    payload = files(HOSTILE_ROWS)["toys.xlsx"].payload
    with zipfile.ZipFile(io.BytesIO(payload)) as book:
        first = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in first
    assert "hyperlink" not in first
    told = sheet(payload).get_column("toy_name").to_list()
    plain = [name for name in HOSTILE if len(name) < 99 and name.isprintable() and name]
    assert set(plain) <= set(told)
    (long,) = (name for name in told if name and len(name) > 99)
    assert (len(long), long[-1]) == (MOST_CELL_LETTERS, "…")
    notes = dict(fastexcel.read_excel(payload).load_sheet("notes", header_row=None)
                 .to_polars().select("__UNNAMED__0", "__UNNAMED__1").rows())  # fmt: skip
    assert notes["texts cut"] == "1 texts are longer than a cell; the other formats hold them."


def test_rows_beyond_a_sheet_go_on_in_the_next() -> None:
    payload = spreadsheet("toys", in_key_order(ROWS, Toys), Toys, TELLING, most_rows=2)
    assert fastexcel.read_excel(payload).sheet_names == ["toys", "toys (2)", "notes"]
    both = [sheet(payload, name).get_column("toy_name").to_list() for name in ("toys", "toys (2)")]
    assert both[1] == ["ball"]
    assert len(both[0]) == 2


def test_notes_say_what_it_is() -> None:
    book = fastexcel.read_excel(files()["toys.xlsx"].payload)
    notes = book.load_sheet("notes", header_row=None).to_polars().rows()
    told = {row[0]: row[1:] for row in notes}
    assert told["Игрушки"][0] == "Одна строка."
    assert told["grain"][0] == "One row per toy and day."
    assert told["schema_version"][0] == "1.0"
    assert told["sold_share"] == ("Share sold. [share]", "sold_share kk", "sold_share ru")


def test_no_rows_make_files_all_the_same() -> None:
    none = files(ROWS.clear())
    assert none["toys.csv"].payload.decode() == ",".join(Toys.columns()) + "\r\n"
    assert pl.read_parquet(io.BytesIO(none["toys.parquet"].payload)).is_empty()
    assert json.loads(none["toys.json"].payload) == []
