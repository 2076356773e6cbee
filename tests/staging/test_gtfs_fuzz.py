"""Feeds that nobody would write: whatever the bytes, an answer; what is required, never in silence.

A toy feed is damaged in three ways: bytes flipped, cut, doubled and strewn over its archive or its
files; cells replaced by what does not belong there; required cells blanked or garbled. Half of the
seeds are fixed, half are new each time; a failure names its seed, and the seed alone repeats it.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.sources.gtfs.parse import validate_feed
from pipelines.staging.gtfs.findings import Notice
from pipelines.staging.gtfs.specification import FILES as SPECIFICATION
from pipelines.staging.gtfs.validation import Validation
from tests.toy_feeds import FILES, feed_source, toy_feed

pytestmark = [pytest.mark.slow, pytest.mark.long]

FEEDS = 1_000 if os.environ.get("CI") else 250
FIXED = FEEDS // 2
MOST_MEMORY_KB = 2 * 1024**2
SOURCE = feed_source()
DAY = date(2026, 11, 18)
FRESH = int.from_bytes(os.urandom(4), "big")

MORE = {
    "frequencies": "trip_id,start_time,end_time,headway_secs\nB1,9:00:00,10:00:00,600\n",
    "transfers": "from_stop_id,to_stop_id,transfer_type,min_transfer_time\nMA,BA,2,120\n",
    "feed_info": "feed_publisher_name,feed_publisher_url,feed_lang\nToy,http://example.org,kk\n",
}
WHOLE = {**FILES, **MORE}
STRANGE = (
    *("", " ", "\x00", "\ufeff", '"', '""', "'", ",", "\n", "\r\n", "\\", "\u202e", "é", "Ә", "😀"),
    *("0", "-1", "1e308", "1e-400", "nan", "inf", "-inf", "999999999999999999999", "0x10", "٣"),
    *("99:99:99", "24:00:00", "-1:00:00", "00000000", "99991231", "00010101", "20260230"),
    *("true", "null", "None", "=1+1", "<script>", "{", "[", "M1", "B1", "a" * 5_000),
)


def judge(payload: bytes) -> Validation | None:
    """The feed judged to its end, or None where it is refused in so many words."""
    try:
        feed = validate_feed(payload, SOURCE, DAY)
    except SourceError as error:
        if not (error.what and error.remedy):
            raise AssertionError("an error without its sentences") from error
        return None
    broken = {code: why for code, (status, why) in feed.statuses().items() if "Error" in why}
    assert not broken
    return feed


def memory_kb(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


def strew(data: bytes, chance: random.Random) -> bytes:
    """Bytes flipped, left out, doubled, moved or put in."""
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 40))):
        at, size = chance.randrange(len(damaged) + 1), chance.choice((1, 2, 16, 200))
        match chance.randrange(5):
            case 0:
                damaged[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del damaged[at : at + size]
            case 2:
                damaged[at:at] = damaged[at : at + size] * chance.choice((1, 3))
            case 3:
                damaged[at:at] = chance.choice(STRANGE).encode() * chance.choice((1, 50))
            case _:
                del damaged[at:]
        damaged = damaged or bytearray(b"\x00")
    return bytes(damaged)


def damaged_archive(chance: random.Random) -> bytes:
    return strew(toy_feed(**MORE), chance)


def damaged_files(chance: random.Random) -> bytes:
    names = chance.sample(sorted(WHOLE), chance.choice((1, 2, 5)))
    return toy_feed(**{**WHOLE, **{name: strew(WHOLE[name].encode(), chance) for name in names}})


def strange_cells(chance: random.Random) -> bytes:
    files = dict(WHOLE)
    for name in chance.sample(sorted(WHOLE), chance.choice((1, 3))):
        rows = list(csv.reader(io.StringIO(files[name])))
        for _ in range(chance.choice((1, 5, 20))):
            row = chance.choice(rows)
            row[chance.randrange(len(row))] = chance.choice(STRANGE)
        out = io.StringIO()
        csv.writer(out, lineterminator=chance.choice(("\n", "\r\n", "\r"))).writerows(rows)
        files[name] = out.getvalue()
    return toy_feed(**files)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    damaged_archive,
    damaged_files,
    damaged_files,
    strange_cells,
)


@pytest.mark.parametrize("batch", range(4))
def test_damaged_feeds_get_an_answer(batch: int) -> None:
    feeds = FEEDS * 7 // 10 // 4
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    before = memory_kb("VmRSS")
    for number in range(feeds):
        is_fixed = number < feeds // 2
        seed = f"{batch}-{number}" if is_fixed else f"{FRESH}-{batch}-{number}"
        chance = random.Random(seed)
        try:
            judge(KINDS[number % len(KINDS)](chance))
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert memory_kb("VmHWM") - before < MOST_MEMORY_KB


REQUIRED = [
    (name, field.name, field.kind)
    for name, text in sorted(WHOLE.items())
    for field in SPECIFICATION[name].fields
    if field.needs_value and field.name in text.partition("\n")[0].split(",")
]
GARBAGE = {
    "date": ("2026-01-01", "20261301", "soon", "2026010"),
    "time": ("7", "7:60:00", "noon", "07:00"),
    "enum": ("x", "1.5", "--1", "12x"),
    "integer": ("x", "1.5", "", "9" * 12),
    "latitude": ("north", "1,5", "--1", "nan"),
    "longitude": ("east", "1;5", "+-1", "inf"),
    "url": ("example", "http//a", "ftp://a.b", "http:// a.b"),
    "time_zone": ("Almaty", "Asia/Nowhere", "GMT+77", "x"),
    "language": ("kazakh language", "k", "_", "12"),
}


def notices_of(file: str, row: int, feed: Validation) -> list[Notice]:
    return [
        notice
        for notice in feed.notices()
        if notice.file == f"{file}.txt"
        and notice.severity == "ERROR"
        and any(one["row"] == row for one in notice.sample)
    ]


@pytest.mark.parametrize("batch", range(2))
def test_a_required_field_made_missing_or_unreadable_is_told(batch: int) -> None:
    feeds = FEEDS * 3 // 10 // 2
    for number in range(feeds):
        is_fixed = number < feeds // 2
        seed = f"required-{batch}-{number}" if is_fixed else f"{FRESH}-required-{batch}-{number}"
        chance = random.Random(seed)
        file, column, kind = chance.choice(REQUIRED)
        rows = list(csv.reader(io.StringIO(WHOLE[file])))
        place = chance.randrange(1, len(rows))
        garbage = [text for text in GARBAGE.get(kind, ()) if text] or [""]
        rows[place][rows[0].index(column)] = chance.choice(["", *garbage])
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        feed = judge(toy_feed(**{**WHOLE, file: out.getvalue()}))
        assert feed is not None
        assert notices_of(file, place + 1, feed), f"seed {seed}: {file}.{column} = {rows[place]}"
