"""Text files: whatever publishers write is read, and every oddity told in its row."""

from __future__ import annotations

import csv
import io
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.gtfs import buffer, text
from pipelines.sources.gtfs.archive import open_archive
from pipelines.sources.gtfs.plain import BLANKS, MOST_CELL
from pipelines.sources.gtfs.text import CODES, read_text, read_text_blocks
from pipelines.staging.gtfs.raw import TextTable
from pipelines.staging.gtfs.rules.catalogue import CODES as KNOWN_CODES
from pipelines.staging.gtfs.rules.rule import FOUND_SCHEMA, ROW
from tests.toy_feeds import FILES, feed_source

Rows = list[tuple[Any, ...]]
Told = dict[str, Rows]

WHOLE = 1 << 20


def told(table: TextTable) -> Told:
    """Findings as tuples of row number, field and value."""
    return {code: rows.rows() for code, rows in table.findings.items()}


def joined(payload: bytes, block_bytes: int, name: str = "stops") -> TextTable:
    """The blocks of a file as one table."""
    blocks = list(read_text_blocks(io.BytesIO(payload), name, block_bytes))
    found: dict[str, list[pl.DataFrame]] = {}
    for block in blocks:
        for code, rows in block.findings.items():
            found.setdefault(code, []).append(rows)
    findings = {code: pl.concat(parts) for code, parts in found.items()}
    return TextTable(pl.concat([block.rows for block in blocks]), blocks[-1].columns, findings)


def assert_same(one: TextTable, other: TextTable) -> None:
    assert one.columns == other.columns
    assert one.rows.rows() == other.rows.rows()
    assert told(one) == told(other)


def assert_read_alike_in_every_way(payload: bytes) -> TextTable:
    """Reads a file by Polars and by the scanner, whole and in blocks and small pieces."""
    table = read_text(payload, "stops")
    with patch.object(text, "read_plain", lambda *_: None):
        assert_same(table, read_text(payload, "stops"))
    for block_bytes, piece_bytes in ((1, WHOLE), (17, 8), (64, 1)):
        with patch.object(text, "PIECE_BYTES", piece_bytes):
            assert_same(table, joined(payload, block_bytes))
    return table


def counted_scans() -> Any:
    """Counts how often the scanner is called."""
    return patch.object(text.Scanner, "scan", autospec=True, side_effect=text.Scanner.scan)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payload", "rows", "findings"),
    [
        pytest.param(b"a,b\n1,2\n", [(2, "1", "2")], {}, id="as it should be"),
        pytest.param(b"\xef\xbb\xbfa,b\r\n1,2\r\n", [(2, "1", "2")], {}, id="mark, CR LF"),
        pytest.param(b"a,b\r1,2\r3,4", [(2, "1", "2"), (3, "3", "4")], {}, id="CR"),
        pytest.param(
            b"a,b\n1,2\r\n3,4\r5,6\r\r\n7,8\n",
            [(2, "1", "2"), (3, "3", "4"), (4, "5", "6"), (5, "7", "8")],
            {},
            id="ends of line mixed",
        ),
        pytest.param(b' a ,"b"\n1 , 2\t\n', [(2, "1", "2")], {}, id="blanks outside of quotes"),
        pytest.param(b'a,b\n"x, ""y""" ,1\n', [(2, 'x, "y"', "1")], {}, id="blank after a quote"),
        pytest.param(
            b'a,b\n" x ",1\n',
            [(2, "x", "1")],
            {"leading_or_trailing_whitespaces": [(2, "a", " x ")]},
            id="blanks within quotes",
        ),
        pytest.param(
            b"\n \na,b\n\n1,2\n  \n3,4\n\n", [(5, "1", "2"), (7, "3", "4")], {}, id="blank lines"
        ),
        pytest.param(
            b'a,b\n""\n1,2\n  ',
            [(3, "1", "2")],
            {"empty_row": [(2, None, None), (4, None, None)]},
            id="rows of blanks",
        ),
        pytest.param(b"a,b\n,\n", [(2, None, None)], {}, id="a row of blank cells is a row"),
        pytest.param(
            b"a,b,c\n1,2\n1,2,3,4\n1,2,3,\n5,6,7\n",
            [(2, "1", "2", None), (4, "1", "2", "3"), (5, "5", "6", "7")],
            {"invalid_row_length": [(2, None, "1,2"), (3, None, "1,2,3,4"), (4, None, "1,2,3,")]},
            id="ragged rows",
        ),
        pytest.param(
            b"a,b,c\n1,2\n4,5,6\n7,8,9,",
            [(2, "1", "2", None), (3, "4", "5", "6"), (4, "7", "8", "9")],
            {"invalid_row_length": [(2, None, "1,2"), (4, None, "7,8,9,")]},
            id="a short row and a long one have as many commas as two good ones",
        ),
        pytest.param(
            b"a,b,\n1,2,3\n",
            [(2, "1", "2")],
            {"empty_column_name": [(1, None, "3")]},
            id="comma at the header's end",
        ),
        pytest.param(
            b"a,b,a\n1,2,3\n",
            [(2, "1", "2")],
            {"duplicated_column": [(1, "a", "3")]},
            id="a column twice",
        ),
        pytest.param(
            b'a,b\n5" pipe,1\nthe "Hub",2\n"The "Hub" east",3\n"A" b,4\n',
            [
                *((2, '5" pipe', "1"), (3, 'the "Hub"', "2")),
                *((4, 'The "Hub" east', "3"), (5, '"A" b', "4")),
            ],
            {
                "unescaped_quote": [
                    *((2, "a", '5" pipe'), (3, "a", 'the "Hub"')),
                    *((4, "a", 'The "Hub" east'), (5, "a", '"A" b')),
                ]
            },
            id="quotes that are not doubled",
        ),
        pytest.param(
            b'a,b\n"Main St,1\n"Elm",2\nx,"y\n',
            [(2, '"Main St', "1"), (3, "Elm", "2"), (4, "x", '"y')],
            {"csv_parsing_failed": [(2, "a", '"Main St'), (4, "b", '"y')]},
            id="quotes that never close",
        ),
        pytest.param(
            b'a,b\n"two\r\nlines",2\n3,4\n',
            [(2, "two\r\nlines", "2"), (4, "3", "4")],
            {"new_line_in_value": [(2, "a", "two\r\nlines")]},
            id="a line break within quotes",
        ),
        pytest.param(
            b"a,b\n1\x002,3\n\x00\n",
            [(2, "12", "3")],
            {"null_byte": [(2, "a", "12"), (3, None, None)]},
            id="null bytes",
        ),
        pytest.param(
            "a,b\nЖил,щ\n".encode("windows-1251"),
            [(2, "\ufffd" * 3, "\ufffd")],
            {"invalid_character": [(2, "a", "\ufffd" * 3), (2, "b", "\ufffd")]},
            id="not UTF-8",
        ),
        pytest.param(
            "a,b\nЖил,1\n".encode("utf-16"),
            [(2, "Жил", "1")],
            {"encoding_not_utf8": [(None, None, "utf-16-le")]},
            id="UTF-16 with its mark",
        ),
        pytest.param(
            "id,b\nЖил,1\n".encode("utf-16-be"),
            [(2, "Жил", "1")],
            {"encoding_not_utf8": [(None, None, "utf-16-be")]},
            id="UTF-16 without a mark",
        ),
        pytest.param(b"a,b\n#1,2\n", [(2, "#1", "2")], {}, id="no comments"),
        pytest.param(b"row_number,b\n1,2\n", [(2, "2")], {}, id="a column with our name"),
        pytest.param(b"a\nx\n\ny\n", [(2, "x"), (4, "y")], {}, id="one column"),
    ],
)
def test_what_publishers_write_is_read_and_told(payload: bytes, rows: Rows, findings: Told) -> None:
    table = assert_read_alike_in_every_way(payload)
    assert table.rows.rows() == rows
    assert told(table) == findings
    assert table.rows.schema == {ROW: pl.Int64, **dict.fromkeys(table.rows.columns[1:], pl.String)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("payload", "code", "value"),
    [
        (b"", "empty_file", None),
        (b"\xef\xbb\xbf\r\n \n", "empty_file", None),
        (b"  ", "empty_file", None),
        (b"a;b\n1;2\n", "csv_parsing_failed", "a;b"),
        (b"stop_id\tstop_name\n1\t2\n", "csv_parsing_failed", "stop_id\tstop_name"),
        (b"," * 512 + b"\n1,2\n", "csv_parsing_failed", "," * 200),
        (b"x" * (1 << 20) + b"yz,b\n1,2\n", "csv_parsing_failed", "x" * 200),
    ],
)
def test_of_some_files_nothing_is_read(payload: bytes, code: str, value: str | None) -> None:
    table = read_text(payload, "stops")
    assert told(table) == {code: [(None, None, value)]}
    assert table.columns == ()
    assert table.rows.schema == {ROW: pl.Int64}
    assert table.rows.is_empty()
    assert_same(table, joined(payload, 1_000))


def test_columns_are_named_as_delivered_without_what_is_never_meant() -> None:
    table = read_text("\ufeffstop_id,Stop_Name , stop lat\xa0,,row_number\n".encode(), "stops")
    assert table.columns == ("stop_id", "Stop_Name", "stop lat", "row_number")
    assert table.rows.columns == [ROW, "stop_id", "Stop_Name", "stop lat"]


def test_a_cell_longer_than_any_is_told_and_kept() -> None:
    value = "é" * MOST_CELL
    table = read_text(f"a,b\n{value},1\n{value}é,2\n".encode(), "stops")
    assert told(table) == {"csv_parsing_failed": [(3, "a", f"{value}é")]}
    assert table.rows.rows() == [(2, value, "1"), (3, f"{value}é", "2")]


def test_only_areas_may_have_longer_cells() -> None:
    payload = b'area_id,wkt\n1,"%b"\n2,x\n' % (b"POLYGON\n" * 9_999 + b"END")
    assert told(read_text(payload, "areas.txt")).keys() == {"new_line_in_value"}
    swallowed = read_text(payload, "stops")
    assert swallowed.findings["csv_parsing_failed"].item(0, ROW) == 2
    assert swallowed.rows.row(-1) == (10_002, "2", "x")


@pytest.mark.slow
def test_a_row_longer_than_any_is_left_out_and_the_next_are_read() -> None:
    payload = b"a,b\n1,2\n" + b"x" * (buffer.MOST_ROW_BYTES + 1) + b"\r\n3,4\n"
    for table in (read_text(payload, "stops"), joined(payload, 100_000)):
        assert told(table) == {"csv_parsing_failed": [(3, None, "x" * 200)]}
        assert table.rows.rows() == [(2, "1", "2"), (4, "3", "4")]


def test_good_text_is_not_scanned() -> None:
    quoted = b'"a","b"\r\n"1","x, ""y"" z"\r\n"","2"\r\n'
    for payload in (b"a,b\n1,\xc3\xa9 2\n , 4\n", quoted):
        with counted_scans() as scan:
            assert told(read_text(payload, "stops")) == {}
        assert scan.call_count == 1, "the header alone"
    with counted_scans() as scan:
        assert told(read_text(b"a,b\r" + b"1,2\r" * 1_000, "stops")) == {}
    assert scan.call_count == 2, "the header and the last line"


@pytest.mark.slow
def test_one_bad_row_makes_only_its_piece_be_scanned() -> None:
    rows = [f"{n},{n}" for n in range(100_000)]
    rows[50_000] = "bad"
    payload = ("a,b\n" + "\n".join(rows) + "\n").encode()
    with patch.object(text, "PIECE_BYTES", 10_000), counted_scans() as scan:
        table = read_text(payload, "stops")
    assert told(table) == {"invalid_row_length": [(50_002, None, "bad")]}
    assert table.rows.get_column(ROW).to_list() == list(range(2, 100_002))
    assert scan.call_count == 2


def test_every_code_is_known() -> None:
    assert KNOWN_CODES.keys() >= CODES


# Letters of several lengths in UTF-8, and what CSV gives a meaning to.
LETTERS = st.sampled_from('ab1 é Ж 字🚌,,""\n\r\t;')
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.text(LETTERS, max_size=6), min_size=width, max_size=width), max_size=8
    )
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    rows=TABLES,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    block_bytes=st.integers(1, 64),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[list[str]], quoting: int, ending: str, encoding: str, block_bytes: int
) -> None:
    # Without quotes round them, Python's writer leaves line breaks that differ from its own bare.
    if any({"\r", "\n"} & set(value) for row in rows for value in row):
        quoting = csv.QUOTE_ALL
    width = len(rows[0]) if rows else 2
    header = [f"column_{place}" for place in range(width)]
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator=ending)  # type: ignore[arg-type]  # a constant of csv
    writer.writerows([header, *rows])
    payload = out.getvalue().encode(encoding)
    cells = [tuple(value.strip(BLANKS) or None for value in row) for row in rows]
    expected = [row for row in cells if width > 1 or row != (None,)]
    table = read_text(payload, "stops")
    assert table.columns == tuple(header)
    assert table.rows.drop(ROW).rows() == expected
    odd = {"new_line_in_value", "leading_or_trailing_whitespaces", "empty_row", "encoding_not_utf8"}
    assert table.findings.keys() <= odd
    assert ("encoding_not_utf8" in table.findings) == (encoding not in ("utf-8", "utf-8-sig"))
    with patch.object(text, "read_plain", lambda *_: None):
        assert_same(table, read_text(payload, "stops"))
    assert_same(table, joined(payload, block_bytes))


PIECES = st.sampled_from(
    [
        *(b"a", b"1", b",", b",", b"\n", b"\n", b"\r\n", b"\r", b"\r\r\n", b'"', b'""', b'"x, y",'),
        *(b" ", b"\t", b"\0", b"\xc3\xa9", b"\xff", b"\xe2\x82", b"\xef\xbf\xbd", b"\xef\xbb\xbf"),
    ]
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    header=st.sampled_from([b"a,b\n", b"a,b,c\r\n", b"a\n", b"", b'"a","b"\r']),
    pieces=st.lists(PIECES, max_size=40),
)
def test_any_bytes_are_read_alike_in_every_way(header: bytes, pieces: list[bytes]) -> None:
    table = assert_read_alike_in_every_way(header + b"".join(pieces))
    numbers = table.rows.get_column(ROW).to_list()
    assert all(one < other for one, other in pairwise(numbers))
    for code, rows in table.findings.items():
        assert code in CODES
        assert rows.schema == FOUND_SCHEMA


def mutated(payload: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them changed, left out, doubled or moved."""
    data = bytearray(payload)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 1, 2, 20))
        new = chance.choice(
            (b"", bytes([chance.randrange(256)]), b'"', b"\0", b"\n", b"\r", b",", data[:length])
        )
        data[at : at + chance.choice((0, length))] = new
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_are_read_and_no_line_is_lost_unseen(seed: int) -> None:
    chance = random.Random(seed)
    for name, good in FILES.items():
        payload = mutated(good.encode(), chance)
        table = assert_read_alike_in_every_way(payload)
        if b'"' in payload or b"\0" in payload or not table.columns:
            continue
        lines = payload.decode(errors="replace").replace("\r\r\n", "\n").splitlines()
        full = {n for n, line in enumerate(lines, 1) if line.strip(BLANKS)}
        seen = {row for rows in table.findings.values() for row in rows.get_column(ROW)}
        seen |= set(table.rows.get_column(ROW))
        assert full - seen <= {min(full)}, name  # the header


def test_fresh_damage_is_survived_too() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    for name, good in FILES.items():
        payload = mutated(good.encode(), chance)
        assert read_text(payload, name).findings.keys() <= CODES, f"seed {seed}"


HOSTILE = r"""
import resource
from pipelines.sources.gtfs.text import read_text

def used_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

mega = 1_000_000
bodies = (b'"' * 50 * mega, b',' * 50 * mega, b'"x,' * 15 * mega, bytes(50 * mega),
          b'\xff' * 20 * mega, b'"x""' * 10 * mega, b'\n' * 50 * mega, b'\r' * 50 * mega)
before = used_mebibytes()
for body in bodies:
    table = read_text(b'a,b\n' + body + b'\n1,2\n', 'stops')
    print(len(table.rows), *table.findings)
wide = b','.join(b'c%d' % n for n in range(mega)) + b'\n1,2\n'
print(len(read_text(wide, 'stops').columns))
print(used_mebibytes() - before)
"""


@pytest.mark.slow
def test_hostile_files_cost_little_memory() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE], capture_output=True, text=True, check=True, timeout=300
    )
    *lines, columns, mebibytes = run.stdout.splitlines()
    assert lines == [*["1 csv_parsing_failed"] * 6, *["1"] * 2]
    assert columns == "0"
    assert int(mebibytes) < 768


@pytest.mark.parametrize(
    ("feed", "name", "code", "count"),
    [
        ("contains_null", "stops", "null_byte", 1),
        ("utf16", "agency", "encoding_not_utf8", 1),
        ("empty_file", "agency", "empty_file", 1),
        ("good_feed", "stops", "", 0),
    ],
)
def test_real_oddities(shared_data: Path, feed: str, name: str, code: str, count: int) -> None:
    payload = (shared_data / "bad_gtfs" / "transitfeed" / feed / f"{name}.txt").read_bytes()
    findings = told(read_text(payload, name))
    assert len(findings.get(code, [])) == count
    assert findings.keys() <= {code, "invalid_row_length"}


@pytest.mark.slow
def test_a_real_feed_is_read_fast_and_without_findings(shared_data: Path) -> None:
    payload = (shared_data / "gtfs" / "transitland_hart.zip").read_bytes()
    archive = open_archive(payload, feed_source(), [f"{name}.txt" for name in FILES])
    with counted_scans() as scan:
        table = read_text(archive.read("stop_times.txt"), "stop_times")
    assert scan.call_count == 1, "the header alone"
    assert told(table) == {}
    assert table.rows.height == 435_507
    assert table.rows.row(0)[:4] == (2, "316692", "5:30:00", "5:30:00")
    assert table.rows.item(-1, ROW) == 435_508
