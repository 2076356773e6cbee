"""A city's policy on what validation finds: whose word overrides a severity, why, and until when.

The policy is a TOML file beside the city file, which names it: ``[city] policy = "..."``.

    [[rule]]
    code = "missing_required_column"   # the notice
    source = "bus"                     # optional: one feed; without it, all
    severity = "WARNING"               # what it counts as here, and/or
    stops_feed = false                 # whether it stops the feed
    owner = "A. Person, Transport Department"
    reason = "The operator adds the column by the end of the year."
    expires = 2027-01-01               # holds for service dates before this one

A rule for one feed goes before one for all. A severity below ERROR stops no feed unless
`stops_feed` says so. A rule that has expired does not apply any more and is reported. Left out:
who may write the file, which is for whoever keeps the city's files.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipelines.errors import SettingsError
from pipelines.staging.gtfs.rules.catalogue import CODES
from pipelines.staging.gtfs.rules.rule import ERROR, Severity
from pipelines.staging.gtfs.rules.stopping import stops_feed

MOST_NEAR_CODES = 3
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PolicyRule(_Part):
    """`[[rule]]`: what one notice counts as, by whose word, why, and until when."""

    code: str
    source: str | None = None
    severity: Severity | None = None
    stops_feed: bool | None = None
    owner: Words
    reason: Words
    expires: date

    @field_validator("code")
    @classmethod
    def _known_code(cls, code: str) -> str:
        return _one_of(code, CODES, "notice code")

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str | None, info: ValidationInfo) -> str | None:
        return source and _one_of(source, (info.context or {}).get("feeds", ()), "feed of the city")

    @model_validator(mode="after")
    def _says_something(self) -> PolicyRule:
        if self.severity is None and self.stops_feed is None:
            raise ValueError("says neither `severity` nor `stops_feed`")
        return self

    def applies(self, code: str, source_id: str, service_date: date) -> bool:
        """Whether it speaks of a notice about a feed on a service date."""
        is_meant = self.code == code and self.source in (None, source_id)
        return is_meant and service_date < self.expires

    def __str__(self) -> str:
        """Code and feed, as a sentence names the override."""
        return self.code if self.source is None else f"{self.code} for {self.source}"


class Verdict(NamedTuple):
    """What a notice counts as, whether it stops its feed, and the rule that says so, if any."""

    severity: Severity
    stops_feed: bool
    entry: PolicyRule | None


class Policy(_Part):
    """A policy file. Without one, severities are the validator's own."""

    rules: tuple[PolicyRule, ...] = Field(default=(), alias="rule")

    @model_validator(mode="after")
    def _each_once(self) -> Policy:
        seen: set[tuple[str, str | None]] = set()
        for entry in self.rules:
            if (entry.code, entry.source) in seen:
                raise ValueError(f"there are two rules on {entry}")
            seen.add((entry.code, entry.source))
        return self

    def effective(
        self,
        code: str,
        severity: Severity,
        source_id: str,
        service_date: date,
        *,
        file_name: str = "",
        columns: Collection[str | None] = (),
    ) -> Verdict:
        """What a notice about a feed counts as on a service date.

        `severity` is the validator's; `file_name` and `columns` are what the notice speaks of.
        """
        meant = [entry for entry in self.rules if entry.applies(code, source_id, service_date)]
        entry = min(meant, key=lambda found: found.source is None, default=None)
        counts_as = entry.severity if entry and entry.severity else severity
        if entry is not None and entry.stops_feed is not None:
            return Verdict(counts_as, entry.stops_feed, entry)
        return Verdict(
            counts_as, counts_as == ERROR and stops_feed(code, file_name, columns), entry
        )

    def judge(self, notice: Mapping[str, Any], service_date: date) -> Verdict:
        """What a row of `staging.feed_notices` counts as on a service date."""
        return self.effective(
            notice["notice_code"],
            notice["severity"],
            notice["source_id"],
            service_date,
            file_name=notice["file_name"],
            columns=[found["field"] for found in json.loads(notice["affected_sample"])],
        )

    def expired(self, service_date: date) -> list[str]:
        """One sentence for each rule that no longer applies on a service date."""
        return [
            f"The override of {entry} by {entry.owner} expired on {entry.expires}."
            for entry in self.rules
            if entry.expires <= service_date
        ]


def load_policy(path: Path | None, feeds: Iterable[str]) -> Policy:
    """Read and check a policy file; without a path, the policy that overrides nothing.

    `feeds` are the city's GTFS sources. Raises `SettingsError` naming the first wrong or missing
    keys by their path in the file.
    """
    if path is None:
        return Policy()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"Policy file {path} does not exist.", "Correct `city.policy` in the city file."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Policy file {path} can't be read: {error}.", "Mend it.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"Policy file {path} is not TOML: {error}.", "Mend that line."
        ) from None
    try:
        return Policy.model_validate(tree, context={"feeds": sorted(feeds)})
    except ValidationError as error:
        raise SettingsError(
            f"Policy file {path}: " + "; ".join(_complaint(e) for e in error.errors()[:3]) + ".",
            "docs/add-a-city.md explains every key.",
        ) from None


def _one_of(word: str, known: Collection[str], what: str) -> str:
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, n=MOST_NEAR_CODES, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known))}"
    raise ValueError(f"no {what} ({hint})" if len(hint) < 400 else f"no {what}")


def _complaint(error: Any) -> str:
    # Rules are counted from 1, as a reader of the file counts them.
    place = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error["loc"]]
    key = "".join(place).removeprefix(".") or "rule"
    if error["type"] == "missing":
        return f"`{key}` is missing"
    if error["type"] == "extra_forbidden":
        known = [*PolicyRule.model_fields] if len(error["loc"]) > 1 else ["rule"]
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
        return f"`{key}` is an unknown key ({hint})"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error["input"], (dict, list)):
        return f"`{key}` {message}"
    return f"`{key}`: {message} (found {error['input']!r:.80})"
