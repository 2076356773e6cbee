"""Files of plates: what holds anything like one in clear is refused, and no value is repeated."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import polars as pl
import pytest
import xlsxwriter

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.passages import parse_passages, parse_toll_transactions

Parse = Callable[[bytes, SourceVersion], dict[str, pl.DataFrame]]

HASH = "9f86d081884c7d65"
BASE64 = "n4bQgYhMfWWaL+qgxVrQFQ=="
HEADINGS = "station_id,passed_at,direction,vehicle_class,plate_hash"
READING = f"cordon-1,2026-11-20T05:00:00Z,in,heavy,{HASH}"


def passages(file_format: str = "csv", columns: Mapping[str, str] | None = None) -> SourceVersion:
    return SourceVersion("passages", "v1", "day." + file_format, file_format, columns=columns or {})


def a_file(*rows: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *rows]).encode()


@pytest.mark.parametrize("hashed", [HASH, HASH.upper(), HASH * 4, BASE64, BASE64.rstrip("="), ""])
def test_hashed_plates_pass(hashed: str) -> None:
    payload = a_file(f"cordon-1,2026-11-20T05:00:00Z,in,heavy,{hashed}")
    rows = parse_passages(payload, passages())["rows"]
    assert rows.columns == HEADINGS.split(",")
    assert rows.get_column("plate_hash").to_list() == [hashed or None]


# One in Cyrillic letters, which look like Latin ones.
CYRILLIC_PLATE = "\u0410123\u0412\u042177"


@pytest.mark.parametrize(
    "plate", ["123ABC02", "A123BCD", "123 ABC 02", CYRILLIC_PLATE, "01KG123ABC", "9f86d081884c7d6"]
)
def test_a_plate_in_place_of_its_hash_is_refused_and_not_repeated(plate: str) -> None:
    payload = a_file(READING, f"cordon-1,2026-11-20T05:00:01Z,in,heavy,{plate}")
    with pytest.raises(SourceError, match=r"holds 1 values of `plate_hash` \(of 2\)") as caught:
        parse_passages(payload, passages())
    assert plate not in str(caught.value)


@pytest.mark.parametrize(
    "heading",
    ["plate", "Plate No.", "licence", "number", "reg_no", "vehicle number", "VRM", "Гос. номер"],
)
def test_a_column_that_speaks_of_plates_is_refused(heading: str) -> None:
    payload = a_file(READING + ",", headings=f"{HEADINGS},{heading}")
    with pytest.raises(SourceError, match="speaks of plates in clear"):
        parse_passages(payload, passages())


@pytest.mark.parametrize("plate", ["123ABC02", "a 123 bc-77", "AB12CDE", "12-AB-34"])
def test_plates_in_any_other_column_are_refused_and_not_repeated(plate: str) -> None:
    payload = a_file(READING + ",", READING + f",{plate}", headings=f"{HEADINGS},comment")
    with pytest.raises(SourceError, match=r"1 different values like a plate .*'comment'") as caught:
        parse_passages(payload, passages())
    assert plate not in str(caught.value)


def test_plates_under_one_of_our_own_headings_are_refused() -> None:
    payload = a_file(f"123ABC02,2026-11-20T05:00:00Z,in,heavy,{HASH}")
    with pytest.raises(SourceError, match="'station_id'"):
        parse_passages(payload, passages())


def test_a_file_without_headings_does_not_repeat_its_first_row() -> None:
    payload = b"cordon-1,2026-11-20T05:00:00Z,in,heavy,123ABC02\n"
    with pytest.raises(SourceError, match="no row of headings") as caught:
        parse_passages(payload, passages(columns={"post": "station_id"}))
    assert "123ABC02" not in str(caught.value)


def test_a_plate_mapped_to_the_hash_is_still_refused() -> None:
    payload = a_file(READING.replace(HASH, "123ABC02"), headings=HEADINGS.replace("_hash", ""))
    with pytest.raises(SourceError, match="no keyed hashes"):
        parse_passages(payload, passages(columns={"plate": "plate_hash"}))


def test_harmless_columns_are_left_out() -> None:
    payload = a_file(
        READING + ",72.5,left,1", headings=f"{HEADINGS},speed_kmh,lane_name,lane_number"
    )
    assert parse_passages(payload, passages())["rows"].columns == HEADINGS.split(",")


def test_a_hash_that_is_a_number_in_parquet_is_refused() -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"station_id": ["a"], "passed_at": ["x"], "plate_hash": [12]}).write_parquet(
        buffer
    )
    with pytest.raises(SourceError, match="holds `plate_hash` as Int64"):
        parse_passages(buffer.getvalue(), passages("parquet"))


def test_a_file_without_plates_lacks_their_column() -> None:
    payload = a_file("cordon-1,2026-11-20T05:00:00Z", headings="station_id,passed_at")
    with pytest.raises(SourceError, match="lacks the column 'plate_hash'"):
        parse_passages(payload, passages())


@pytest.mark.parametrize(
    ("parse", "moment"), [(parse_passages, "passed_at"), (parse_toll_transactions, "paid_at")]
)
@pytest.mark.parametrize("hashes", ["123ABC02,", f"{HASH},123ABC02", ",123 ABC 02", f",{HASH[1:]}"])
def test_a_plate_in_either_hash_is_refused_in_either_kind(
    parse: Parse, moment: str, hashes: str
) -> None:
    headings = f"station_id,{moment},plate_hash,overlap_hash"
    good = a_file(f"ring-1,2026-11-01T05:00:00Z,{HASH},{HASH}", headings=headings)
    assert parse(good, passages())["rows"].columns == headings.split(",")
    bad = a_file(f"ring-1,2026-11-01T05:00:00Z,{hashes}", headings=headings)
    with pytest.raises(SourceError, match=r"holds 1 values of `(plate|overlap)_hash`") as caught:
        parse(bad, passages())
    assert "ABC" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "headings"),
    [
        (f"ring-1,2026-11-20T05:00:00Z,{HASH},123ABC02", "station_id,paid_at,plate_hash,tag"),
        (f"ring-1,2026-11-20T05:00:00Z,{HASH},5", "station_id,paid_at,plate_hash,licence no"),
        (f"A123BCD,2026-11-20T05:00:00Z,{HASH}", "station_id,paid_at,plate_hash"),
        (f"ring-1,2026-11-20T05:00:00Z,{HASH},5", "station_id,paid_at,plate_hash,123ABC02"),
    ],
)
def test_a_plate_anywhere_in_a_toll_file_is_refused(row: str, headings: str) -> None:
    with pytest.raises(SourceError, match="Nothing of the file was kept") as caught:
        parse_toll_transactions(a_file(row, headings=headings), passages())
    assert "123ABC02" not in str(caught.value)
    assert "A123BCD" not in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [
        "cordon-1,2026-11-20T05:00:00Z,in,heavy,AB12CDE",
        "cordon-1,2026-11-20 05:00,AB12CDE,AB12CDE",  # front and rear
        "AB12CDE,05:00:01",
    ],
)
def test_a_row_of_readings_in_place_of_headings_is_not_repeated(row: str) -> None:
    with pytest.raises(SourceError, match="no row of headings") as caught:
        parse_passages(a_file(row, headings=row), passages())
    assert "AB12CDE" not in str(caught.value)


def test_a_toll_file_keeps_what_is_ours() -> None:
    payload = a_file(
        f"ring-1,2026-11-20T05:00:00Z,heavy,{HASH},1800", headings="gate,at,class,hash,tenge"
    )
    mapping = {"gate": "station_id", "at": "paid_at", "class": "vehicle_class",
               "hash": "plate_hash"}  # fmt: skip
    rows = parse_toll_transactions(payload, passages(columns=mapping))["rows"]
    assert rows.rows(named=True) == [
        {
            "station_id": "ring-1",
            "paid_at": "2026-11-20T05:00:00Z",
            "vehicle_class": "heavy",
            "plate_hash": HASH,
        }
    ]


def parquet_file(**more: list[object]) -> bytes:
    buffer = io.BytesIO()
    reading = {"station_id": ["a"], "passed_at": ["2026-11-20T05:00:00Z"], "plate_hash": [HASH]}
    pl.DataFrame({**reading, **more}).write_parquet(buffer)
    return buffer.getvalue()


def workbook(sheet_count: int) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for number in range(sheet_count):
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADINGS.split(",") if number == 0 else ["123ABC02"])
            sheet.write_row(1, 0, READING.split(","))
    return buffer.getvalue()


def test_files_whose_parts_are_all_seen_pass() -> None:
    ours = ["station_id", "passed_at", "plate_hash"]
    parquet = parse_passages(parquet_file(lane=[1]), passages("parquet"))
    assert parquet["rows"].columns == ours
    assert parse_passages(workbook(1), passages("xlsx"))["rows"].height == 1
    trailing = a_file(f"{READING}, ,", ",,,,,,", headings=f"{HEADINGS},,")
    assert parse_passages(trailing, passages())["rows"].height == 1


@pytest.mark.parametrize(
    ("payload", "file_format", "said"),
    [
        (parquet_file(image=[b"123ABC02"]), "parquet", "columns of bytes, lists or structures"),
        (parquet_file(read=[["123ABC02"]]), "parquet", "columns of bytes, lists or structures"),
        (parquet_file(read=[{"x": "123ABC02"}]), "parquet", "columns of bytes, lists or struct"),
        (workbook(2), "xlsx", "sheets after the first"),
        (a_file(f"{READING},123ABC02", headings=f"{HEADINGS},"), "csv", "without a heading"),
    ],
)
def test_what_can_not_be_looked_at_is_refused(payload: bytes, file_format: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        parse_passages(payload, passages(file_format))
    assert "ABC" not in str(caught.value)


def test_a_column_in_whose_place_another_is_taken_is_refused() -> None:
    payload = a_file(READING.replace(HASH, "123ABC02") + f",{HASH}", headings=f"{HEADINGS},hmac")
    with pytest.raises(SourceError, match="replaced by others") as caught:
        parse_passages(payload, passages(columns={"hmac": "plate_hash"}))
    assert "ABC" not in str(caught.value)


@pytest.mark.parametrize(
    "comment", ["seen 123ABC02 again", "123abc02/A777BCD", '"{""front"": ""123ABC02""}"']
)
def test_a_plate_within_a_sentence_is_refused(comment: str) -> None:
    payload = a_file(f"{READING},{comment}", headings=f"{HEADINGS},comment")
    with pytest.raises(SourceError, match=r"1 different values like a plate .*'comment'"):
        parse_passages(payload, passages())


def test_identifiers_and_moments_are_no_plates() -> None:
    identifiers = [
        "123abc45-0000-4000-8000-123abc45c123",
        "20-11-2026 05:00:01",
        "A123BCD-ring-00001",
    ]
    payload = a_file(*(f"{READING},{x}" for x in identifiers), headings=f"{HEADINGS},told_by")
    assert parse_passages(payload, passages())["rows"].height == len(identifiers)
