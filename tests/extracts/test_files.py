"""Extract files: the same bytes for the same rows, and the rows come back as they went in."""

from __future__ import annotations

import hashlib
import io
from datetime import date

import dataframely as dy
import polars as pl
import pytest

from pipelines.contracts.canonical import content_hash, in_key_order
from pipelines.extracts.files import canonical_json, extract_files


class Toys(dy.Schema):
    """One row per toy and day."""

    made_date = dy.Date(primary_key=True, description="Day on which it was made.")
    toy_name = dy.String(primary_key=True, description="Its name.")
    sold_share = dy.Float64(nullable=True, description="Share sold.", metadata={"unit": "share"})
    sold_count = dy.Int64(nullable=True, description="Number sold.")
    is_new = dy.Bool(description="Whether it is new.")


ROWS = pl.DataFrame(
    {
        "made_date": [date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 1)],
        "toy_name": ["=HYPERLINK('http://evil')", 'кубик "Б", синий', ""],
        "sold_share": [0.1, None, 1 / 3],
        "sold_count": [3, None, 0],
        "is_new": [True, False, False],
    }
)
NOTES = {"table": "marts.toys"}


def test_the_order_of_rows_does_not_matter() -> None:
    files = extract_files("toys", ROWS, Toys, NOTES)
    assert set(files) == {"toys.csv", "toys.parquet", "toys.xlsx"}
    assert extract_files("toys", ROWS.reverse(), Toys, NOTES) == files


def test_the_content_hash_is_the_hash_of_the_csv_file() -> None:
    csv = extract_files("toys", ROWS, Toys, NOTES)["toys.csv"]
    assert hashlib.sha256(csv).hexdigest() == content_hash(in_key_order(ROWS, Toys), Toys)


def test_csv_tells_null_from_empty() -> None:
    csv = extract_files("toys", ROWS, Toys, NOTES)["toys.csv"].decode()
    assert csv.splitlines() == [
        "made_date,toy_name,sold_share,sold_count,is_new",
        '2026-01-01,"",0.3333333333333333,0,false',
        '2026-01-01,"кубик ""Б"", синий",,,false',
        "2026-01-02,=HYPERLINK('http://evil'),0.1,3,true",
    ]


def test_parquet_holds_the_same_rows() -> None:
    payload = extract_files("toys", ROWS, Toys, NOTES)["toys.parquet"]
    assert pl.read_parquet(io.BytesIO(payload)).equals(in_key_order(ROWS, Toys))


def test_a_spreadsheet_holds_the_same_rows_and_no_formula() -> None:
    payload = extract_files("toys", ROWS, Toys, NOTES)["toys.xlsx"]
    sheet = pl.read_excel(io.BytesIO(payload), sheet_name="toys")
    assert sheet.get_column("toy_name").to_list()[-1] == "=HYPERLINK('http://evil')"
    assert sheet.get_column("sold_count").to_list() == [0, None, 3]
    assert sheet.get_column("sold_share").to_list() == [pytest.approx(1 / 3), None, 0.1]
    notes = pl.read_excel(io.BytesIO(payload), sheet_name="notes", has_header=False)
    told = dict(notes.rows())
    assert told["grain"] == "One row per toy and day."
    assert told["sold_share"] == "Share sold. [share]"


def test_no_rows_make_files_all_the_same() -> None:
    files = extract_files("toys", ROWS.clear(), Toys, NOTES)
    assert files["toys.csv"] == b"made_date,toy_name,sold_share,sold_count,is_new\n"
    assert pl.read_parquet(io.BytesIO(files["toys.parquet"])).is_empty()


def test_json_is_canonical() -> None:
    assert canonical_json({"b": [1, "ә"], "a": None}) == '{"a":null,"b":[1,"ә"]}\n'.encode()
