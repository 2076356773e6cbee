"""Passages: a file that holds anything like a plate is refused, and no value is repeated."""

from __future__ import annotations

import io
from collections.abc import Mapping

import polars as pl
import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.parse import PASSAGE_COLUMNS, parse_passages, parse_traffic_counts

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
    assert rows.columns == list(PASSAGE_COLUMNS)
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
    assert parse_passages(payload, passages())["rows"].columns == list(PASSAGE_COLUMNS)


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


def test_other_tables_are_read_as_they_are() -> None:
    source = SourceVersion("counts", "v1", "c.csv", "csv", columns={"post": "station_id"})
    text = b"post,hour_at,vehicle_class,vehicle_count\na,2026-11-20T05:00:00Z,light,1\n"
    rows = parse_traffic_counts(text, source)["rows"]
    assert rows.rows() == [("a", "2026-11-20T05:00:00Z", "light", "1")]
