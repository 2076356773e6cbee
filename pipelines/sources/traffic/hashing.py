"""Keyed hashes in the place of plates that a file holds in clear.

    month key    = HMAC-SHA-256(key, "YYYY-MM" of the passage's local month)
    plate_hash   = the first 32 hexadecimal digits of HMAC-SHA-256(month key, plate)
    overlap_hash = the same under the key of the month before, on the first local day of a month

A plate can be followed within a month and over its turn, and no longer. The plate is written in
capitals first, without spaces, dots and hyphens, and with Latin letters for Cyrillic ones of the
same shape, so that two readers agree. A reading whose moment can't be read has no hash.

Left out: repair of misreadings, which would take two plates for one.
"""

from __future__ import annotations

import hmac

import polars as pl

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.staging.instants import instant

HASH_DIGITS = 32  # 128 bits: no two plates of a month collide
LEAST_KEY_BYTES = 16  # plates are few and can all be tried; a key of 128 bits can't

_CYRILLIC = "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406"
_LATIN = "ABEKMHOPCTYXI"  # of the same shapes
_SIGNS = r"[\s.\p{Pd}]"


def check_key(key: str, name: str) -> bytes:
    """The key as bytes. SourceError, which doesn't tell it, where it is too short."""
    if len(key.encode()) < LEAST_KEY_BYTES:
        raise SourceError(
            f"The secret {name!r} is a key of fewer than {LEAST_KEY_BYTES} bytes: plates hashed "
            f"with it could be found by trying keys.",
            "Set a longer one, as `openssl rand -hex 32` makes it.",
        )
    return key.encode()


def hashed_plates(
    rows: pl.DataFrame, source: SourceVersion, column: str, moment: str, key: bytes
) -> pl.DataFrame:
    """`plate_hash` and `overlap_hash` of each row's plate, in the order of the rows."""
    local_date = instant(moment, rows, source).dt.convert_time_zone(source.time_zone).dt.date()
    before = pl.when(local_date.dt.day() == 1).then(local_date.dt.offset_by("-1mo"))
    plates = rows.select(
        plate=_normal(pl.col(column)),
        month=local_date.dt.strftime("%Y-%m"),
        month_before=before.dt.strftime("%Y-%m"),
    )
    return pl.DataFrame(
        {
            "plate_hash": _hashes(plates, "month", key),
            "overlap_hash": _hashes(plates, "month_before", key),
        }
    )


def _normal(plate: pl.Expr) -> pl.Expr:
    """The plate as all readers write it; null where nothing is left of it."""
    text = plate.cast(pl.String).str.normalize("NFKC").str.to_uppercase()
    letters = text.str.replace_all(_SIGNS, "").str.replace_many(list(_CYRILLIC), list(_LATIN))
    return pl.when(letters != "").then(letters)


def _hashes(plates: pl.DataFrame, month: str, key: bytes) -> pl.Series:
    """Each plate under its month's key; a plate is hashed once a month."""
    asked = plates.select("plate", month=month)
    different = asked.drop_nulls().unique()
    month_keys = {
        name: hmac.digest(key, name.encode(), "sha256")
        for name in different.get_column("month").unique()
    }
    hashes = [
        hmac.digest(month_keys[name], plate.encode(), "sha256").hex()[:HASH_DIGITS]
        for plate, name in different.iter_rows()
    ]
    hashed = different.with_columns(hash=pl.Series(hashes, dtype=pl.String))
    on = ["plate", "month"]
    return asked.join(hashed, on=on, how="left", maintain_order="left").get_column("hash")
