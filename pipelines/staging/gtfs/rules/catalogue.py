"""Every notice code there is: what reading, typing and the specification find, and the rules.

`GENERIC` are the codes that are no function of their own: they hold for every file and field alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from pipelines.staging.gtfs import rules as _rules  # noqa: F401  # registers every rule
from pipelines.staging.gtfs.rules.rule import ERROR, INFO, WARNING, Severity, registered
from pipelines.staging.gtfs.specification import FILES


@dataclass(frozen=True)
class Code:
    """A notice code: severity and meaning; `kinds` are the kinds of field it can speak of."""

    code: str
    severity: Severity
    meaning: str
    is_extension: bool = False
    kinds: tuple[str, ...] = ()


_GENERIC = (
    Code("csv_parsing_failed", ERROR, "A file can't be split into cells."),
    Code("duplicated_column", ERROR, "The header names a column twice."),
    Code("empty_column_name", ERROR, "A column has no name."),
    Code("empty_file", ERROR, "A file has no header, or a required file no rows."),
    Code("empty_row", WARNING, "A row holds blanks only."),
    Code("invalid_row_length", ERROR, "A row has more or fewer cells than the header."),
    Code(
        "invalid_input_files_in_subfolder",
        ERROR,
        "The feed's files lie in a folder of the archive instead of at its top.",
    ),
    Code("too_many_rows", ERROR, "A file has more rows than are read."),
    Code("missing_required_file", ERROR, "A file that every feed needs is absent."),
    Code("missing_recommended_file", WARNING, "A recommended file is absent."),
    Code("missing_calendar_and_calendar_date_files", ERROR, "No file says when service runs."),
    Code("unknown_file", INFO, "A file that GTFS does not know."),
    Code("missing_required_column", ERROR, "A required column is absent."),
    Code("unknown_column", INFO, "A column that GTFS does not know."),
    Code("missing_required_field", ERROR, "A required field is blank."),
    Code("missing_recommended_field", WARNING, "A recommended field is blank."),
    Code("more_than_one_entity", WARNING, "A file that may have one row has more."),
    Code("invalid_character", ERROR, "A value holds a character that could not be decoded."),
    Code("new_line_in_value", ERROR, "A value holds a line break."),
    Code("leading_or_trailing_whitespaces", WARNING, "A value begins or ends with blanks."),
    Code(
        "non_ascii_or_non_printable_char",
        WARNING,
        "An id holds a character beyond printable ASCII.",
        kinds=("id",),
    ),
    Code("invalid_color", ERROR, "Not six hexadecimal digits.", kinds=("color",)),
    Code("invalid_currency", ERROR, "No currency of ISO 4217.", kinds=("currency_code",)),
    Code(
        "invalid_currency_amount",
        ERROR,
        "An amount is not written with the decimals of its currency.",
        kinds=("currency_amount",),
    ),
    Code("invalid_date", ERROR, "Not a date as YYYYMMDD.", kinds=("date",)),
    Code("invalid_email", ERROR, "No e-mail address.", kinds=("email",)),
    Code(
        "invalid_float",
        ERROR,
        "Not a number.",
        kinds=("float", "latitude", "longitude", "currency_amount"),
    ),
    Code("invalid_integer", ERROR, "Not a whole number.", kinds=("integer", "enum")),
    Code("invalid_language_code", ERROR, "No language tag of BCP 47.", kinds=("language",)),
    Code("invalid_time", ERROR, "Not a time as H:MM:SS.", kinds=("time", "local_time")),
    Code("invalid_timezone", ERROR, "No time zone of the tz database.", kinds=("time_zone",)),
    Code("invalid_url", ERROR, "No http or https address.", kinds=("url",)),
    Code(
        "number_out_of_range",
        ERROR,
        "A number outside its bounds.",
        kinds=("latitude", "longitude", "integer", "float"),
    ),
    Code(
        "unexpected_enum_value", WARNING, "A value that the field does not have.", kinds=("enum",)
    ),
    Code(
        "point_near_origin",
        ERROR,
        "A place within a degree of latitude 0, longitude 0.",
        kinds=("latitude",),
    ),
    Code("point_near_pole", ERROR, "A place within a degree of a pole.", kinds=("latitude",)),
    Code("duplicate_key", ERROR, "A row's primary key is that of a row before it."),
    Code("foreign_key_violation", ERROR, "A value refers to a row that is not there."),
    # Ours: what real files need and the canonical validator has no code for.
    Code("encoding_not_utf8", ERROR, "A file is not UTF-8; it was decoded.", is_extension=True),
    Code(
        "unescaped_quote",
        ERROR,
        "A quote within a value is not doubled; it was taken as it stands.",
        is_extension=True,
    ),
    Code("null_byte", ERROR, "A file holds null bytes; they were left out.", is_extension=True),
    Code(
        "nested_archive",
        ERROR,
        "The feed is a zip archive within the archive; it was unwrapped.",
        is_extension=True,
    ),
    # What the adapter of a timetable in another format put right.
    Code(
        "departures_repeated",
        INFO,
        "Departures listed more than once; each was taken once.",
        is_extension=True,
    ),
    Code(
        "departures_after_midnight",
        INFO,
        "Departures after midnight were put on the service day before (24:xx).",
        is_extension=True,
    ),
    Code(
        "trips_chained",
        INFO,
        "The timetable has no trips: departures were chained station by station.",
        is_extension=True,
    ),
    Code(
        "trips_start_in_mid_line",
        INFO,
        "No departure precedes these on the line: the trip begins there.",
        is_extension=True,
    ),
    Code(
        "trips_end_in_mid_line",
        INFO,
        "No departure follows these on the line: the trip ends at the next station.",
        is_extension=True,
    ),
    Code(
        "unreadable_archive",
        ERROR,
        "The archive can't be opened, or is refused for safety.",
        is_extension=True,
    ),
)

GENERIC = MappingProxyType({code.code: code for code in _GENERIC})
CODES = MappingProxyType(
    {
        **GENERIC,
        **{
            rule.code: Code(rule.code, rule.severity, rule.meaning, rule.is_extension)
            for rule in registered()
        },
    }
)


def kinds_in(name: str, columns: tuple[str, ...] | frozenset[str]) -> frozenset[str]:
    """Kinds of the fields that a file has."""
    return frozenset(field.kind for field in FILES[name].fields if field.name in columns)
