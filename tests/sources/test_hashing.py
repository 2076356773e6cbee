"""Plates in clear become keyed hashes: by month, over its turn, however they are written."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Mapping
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.traffic.hashing import check_key
from pipelines.sources.traffic.passages import (
    hash_passages,
    hash_toll_transactions,
    parse_passages,
    parse_toll_transactions,
)

KEY = b"a key that nobody guesses"
PLATE = "123ABC02"


def expected(plate: str, month: str, key: bytes = KEY) -> str:
    """The definition, written down a second time."""
    month_key = hmac.new(key, month.encode(), hashlib.sha256).digest()
    return hmac.new(month_key, plate.encode(), hashlib.sha256).hexdigest()[:32]


def upstream(
    file_format: str = "csv",
    columns: Mapping[str, str] | None = None,
    terms: Mapping[str, Mapping[str, str]] | None = None,
) -> SourceVersion:
    return SourceVersion(
        "passages", "", "day", file_format, "Asia/Almaty", columns or {}, terms or {}
    )


def hashed(*rows: str, headings: str = "station_id,passed_at,plate") -> pl.DataFrame:
    payload = "\n".join([headings, *rows]).encode()
    return pl.read_parquet(hash_passages(payload, upstream(), "plate", KEY))


def test_a_plate_becomes_its_hash_under_the_key_of_the_local_month() -> None:
    rows = hashed(
        f"a,2026-10-31T18:59:59Z,{PLATE}",  # 23:59:59 of the last of October in Almaty
        f"a,2026-10-31T19:00:00Z,{PLATE}",
        f"a,2026-11-01T18:59:59Z,{PLATE}",
        f"a,2026-11-01T19:00:00Z,{PLATE}",
    )
    october, november = expected(PLATE, "2026-10"), expected(PLATE, "2026-11")
    assert rows.rows() == [
        ("a", "2026-10-31T18:59:59Z", october, None),
        ("a", "2026-10-31T19:00:00Z", november, october),
        ("a", "2026-11-01T18:59:59Z", november, october),
        ("a", "2026-11-01T19:00:00Z", november, None),
    ]
    assert rows.columns == ["station_id", "passed_at", "plate_hash", "overlap_hash"]


def test_the_month_before_january_is_december() -> None:
    rows = hashed(f"a,2027-01-01 00:00:00,{PLATE}")
    assert rows.row(0)[2:] == (expected(PLATE, "2027-01"), expected(PLATE, "2026-12"))


def test_a_hash_known_from_elsewhere() -> None:
    """By hand: openssl dgst -sha256 -mac HMAC, the month's key first."""
    [found] = hashed(f"a,2026-11-20 10:00:00,{PLATE}").get_column("plate_hash")
    assert found == "1a8b539bba4b9b35315aadf58c3d9891"


@pytest.mark.parametrize(
    "written",
    ["123 abc 02", "123-ABC-02", "123.ABC.02", " 123\u00a0ABC\u201302", "\uff11\uff12\uff13ABC02",
     "123\u0410\u0412\u042102", "123\u0430\u0432\u044102"],  # in Cyrillic letters, small ones too
)  # fmt: skip
def test_a_plate_is_the_same_however_it_is_written(written: str) -> None:
    assert hashed(f"a,2026-11-20 10:00:00,{written}").get_column("plate_hash").to_list() == [
        expected("123ABC02", "2026-11")
    ]


@pytest.mark.parametrize("unread", ["", "-", ". .", "\u2013"])
def test_what_was_not_read_has_no_hash(unread: str) -> None:
    rows = hashed(f"a,2026-11-01 10:00:00,{unread}", f"a,never,{PLATE}")
    assert rows.select("plate_hash", "overlap_hash").rows() == [(None, None)] * 2


def test_words_for_unread_plates_and_headings_are_mapped() -> None:
    told = upstream(
        columns={"\u041d\u043e\u043c\u0435\u0440": "plate", "post": "station_id"},
        terms={"plate": {"no read": ""}, "direction": {"to the city": "in"}},
    )
    payload = (
        "post,passed_at,direction,\u041d\u043e\u043c\u0435\u0440,lane\n"
        f"a,2026-11-20 10:00:00,To the city,NO READ,1\n"
        f"a,2026-11-20 10:00:01,to the city,{PLATE},2\n"
    )
    rows = pl.read_parquet(hash_passages(payload.encode(), told, "plate", KEY))
    assert rows.rows(named=True) == [
        {"station_id": "a", "passed_at": "2026-11-20 10:00:00", "direction": "in",
         "plate_hash": None, "overlap_hash": None},
        {"station_id": "a", "passed_at": "2026-11-20 10:00:01", "direction": "in",
         "plate_hash": expected(PLATE, "2026-11"), "overlap_hash": None},
    ]  # fmt: skip


def test_typed_moments_and_numeric_plates_of_parquet() -> None:
    buffer = io.BytesIO()
    moment = datetime(2026, 11, 1, 0, 30)  # noqa: DTZ001 (a file that tells no time zone)
    pl.DataFrame({"station_id": ["a"], "passed_at": [moment], "plate": [12345678]}).write_parquet(
        buffer
    )
    landed = hash_passages(buffer.getvalue(), upstream("parquet"), "plate", KEY)
    assert pl.read_parquet(landed).row(0) == (
        "a", moment, expected("12345678", "2026-11"), expected("12345678", "2026-10"),
    )  # fmt: skip


def test_what_is_landed_passes_the_parser_as_it_is() -> None:
    payload = f"station_id,paid_at,plate\ng1,2026-11-01 10:00:00,{PLATE}\n".encode()
    landed = hash_toll_transactions(payload, upstream(), "plate", KEY)
    rows = parse_toll_transactions(landed, upstream("parquet"))["rows"]
    assert rows.equals(pl.read_parquet(landed))


def test_same_file_and_key_give_same_bytes_and_another_key_others() -> None:
    rows = [f"a,2026-11-{day:02d} 10:00:00,{day:03d}ABC02" for day in range(1, 31)]
    payload = "\n".join(["station_id,passed_at,plate", *rows * 100]).encode()
    first = hash_passages(payload, upstream(), "plate", KEY)
    assert hash_passages(payload, upstream(), "plate", KEY) == first
    other = hash_passages(payload, upstream(), "plate", KEY[::-1])
    ours, theirs = (
        set(pl.read_parquet(bytes_).get_column("plate_hash")) for bytes_ in (first, other)
    )
    assert len(ours) == len(theirs) == 30
    assert not ours & theirs


@pytest.mark.parametrize(
    ("headings", "row"),
    [
        ("station_id,passed_at,plate,plate_back", f"a,2026-11-20 10:00:00,{PLATE},{PLATE}"),
        ("station_id,passed_at,plate,comment", f"a,2026-11-20 10:00:00,{PLATE},{PLATE}"),
        ("station_id,passed_at,plate", f"{PLATE},2026-11-20 10:00:00,{PLATE}"),
        ("station_id,passed_at,plate,plate_hash", f"a,2026-11-20 10:00:00,{PLATE},{'0' * 16}"),
        ("station_id,passed_at,plate,overlap_hash", f"a,2026-11-20 10:00:00,{PLATE},{PLATE}"),
        (f"a,2026-11-20 10:00:00,{PLATE}", f"a,2026-11-20 10:00:00,{PLATE}"),
        ("station_id,passed_at,number", f"a,2026-11-20 10:00:00,{PLATE}"),
        ("station_id,at,plate", f"a,2026-11-20 10:00:00,{PLATE}"),
    ],
)
def test_plates_elsewhere_are_refused_and_not_repeated(headings: str, row: str) -> None:
    with pytest.raises(SourceError) as caught:
        hashed(row, headings=headings)
    assert PLATE not in str(caught.value)


def test_a_short_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(SourceError, match="fewer than 16 bytes") as caught:
        check_key("0123456789abcde", "plate_key")
    assert "0123456789abcde" not in str(caught.value)
    assert check_key("0123456789abcdef", "plate_key") == b"0123456789abcdef"


@given(st.text(max_size=12))
def test_no_plate_leaves_in_clear_or_breaks_the_hashing(plate: str) -> None:
    """Whatever stands in the column: 32 hexadecimal digits, or nothing, and no error."""
    buffer = io.BytesIO()
    moment = datetime(2026, 11, 1, 12)  # noqa: DTZ001 (a file that tells no time zone)
    pl.DataFrame({"station_id": ["a"], "passed_at": [moment], "plate": [plate]}).write_parquet(
        buffer
    )
    landed = hash_passages(buffer.getvalue(), upstream("parquet"), "plate", KEY)
    parse_passages(landed, upstream("parquet"))
    row = pl.read_parquet(landed).row(0)
    for found in row[2:]:
        assert found is None or (len(found) == 32 and set(found) <= set("0123456789abcdef"))
