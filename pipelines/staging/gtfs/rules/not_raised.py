"""Codes of the Canonical GTFS Schedule Validator 8 that no feed is ever told here, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PROGRAM = "Speaks of the validating program, not of the feed: {}."

NOT_RAISED: Mapping[str, str] = MappingProxyType(
    {
        "fare_transfer_rule_missing_transfer_count": (
            "Deprecated name of fare_transfer_rule_without_transfer_count."
        ),
        "missing_prior_day_booking_field_value": (
            "Deprecated joint name of missing_prior_notice_last_day and "
            "missing_prior_notice_last_time."
        ),
        "missing_recommended_column": "Deprecated: the reference recommends no column any more.",
        "unused_parent_station": "Deprecated name of unused_station.",
        "i_o_error": _PROGRAM.format("a feed that can't be read is refused with its own reason"),
        "runtime_exception_in_loader_error": _PROGRAM.format("a defect keeps its traceback"),
        "runtime_exception_in_validator_error": _PROGRAM.format("a defect keeps its traceback"),
        "thread_execution_error": _PROGRAM.format("a defect keeps its traceback"),
        "u_r_i_syntax_error": _PROGRAM.format(
            "addresses of feeds are checked when they are fetched"
        ),
    }
)
