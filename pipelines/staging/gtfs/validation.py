"""A feed judged: text becomes typed rows, every rule runs, and unusable rows are set apart.

The feed's files are held whole but stop_times, which comes a part of whole trips at a time, so that
a national feed needs little more memory than a city's. A row is *refused* when it can't be used: a
vital field is blank or unreadable, its key is that of a row before it, or what it vitally refers to
is not there. A broken value elsewhere becomes null and the row stays. Everything found is in the
notices, and every rule has a status.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from pipelines.staging.gtfs.findings import Findings, Notice
from pipelines.staging.gtfs.judged import Judged, judge, refuse_orphans
from pipelines.staging.gtfs.raw import RawFeed, TextTable
from pipelines.staging.gtfs.rules.catalogue import CODES, GENERIC, kinds_in
from pipelines.staging.gtfs.rules.conditional import (
    conditional_of_calls,
    conditional_recommended,
    conditional_required,
)
from pipelines.staging.gtfs.rules.feed import DERIVED, Feed, spans_of
from pipelines.staging.gtfs.rules.fields import (
    REQUIRED_FILES,
    column_problems,
    dangling_references,
    missing_files,
    zone_problems,
)
from pipelines.staging.gtfs.rules.ranges import out_of_order
from pipelines.staging.gtfs.rules.rule import (
    ROW,
    Found,
    Rule,
    Status,
    found,
    found_file,
    registered,
)
from pipelines.staging.gtfs.rules.zones import zone_ids
from pipelines.staging.gtfs.specification import FILES, ZONE_ID

# Rules that refuse a row (not of stop_times) by what several of its fields say together.
REFUSING = frozenset(
    {"start_and_end_range_out_of_order", "start_and_end_range_equal", "stop_without_location"}
)
CALLS = "stop_times"


@dataclass(frozen=True)
class Part:
    """A part of stop_times in judgement, and the places of the feed's stops.

    `stops` has the columns stop_id, stop_lat, stop_lon, each stop once.
    """

    judged: Judged
    stops: pl.DataFrame


@dataclass
class Validation:
    """A feed version in judgement. Take `parts()` to the end, then ask what was found."""

    raw: RawFeed
    as_of: date | None = None
    files: dict[str, Judged] = field(default_factory=dict)
    feed: Feed = field(init=False)
    call_count: int = 0
    _findings: Findings = field(default_factory=Findings)
    _broken: set[str] = field(default_factory=set)
    _raised: dict[str, str] = field(default_factory=dict)  # rules that raised, and why
    _present: dict[str, frozenset[str]] = field(default_factory=dict)
    _ids: Mapping[str, pl.Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Judge every file but stop_times, alone and against the others."""
        for code, what in self.raw.findings:
            self._findings.add(code, what)
        for name, table in self.raw.tables.items():
            self._open(name, table)
            self.files[name] = self._judge(name, table)
        names = set(self.raw.tables) | ({CALLS} if self.raw.stop_times else set())
        for code, what in missing_files(names, has_zones=self.raw.geojson is not None):
            self._findings.add(code, what)
        self.feed = Feed(
            {name: judged.typed for name, judged in self.files.items()},
            self._present,
            as_of=self.as_of,
            geojson=self.raw.geojson,
        )
        for code, what in zone_problems(self.raw.geojson):
            self._findings.add(code, what)
        self._ids = self._referred_ids()
        for name, judged in self.files.items():
            for what in dangling_references(name, judged.typed, self._ids):
                self._findings.add("foreign_key_violation", what)
                judged.refuse_or_blank("foreign_key_violation", what)
        self._run(self.feed, self.files, [rule for rule in registered() if _is_simple(rule)])
        for what in conditional_required(self.feed):
            self._findings.add("missing_required_field", what)
        for what in conditional_recommended(self.feed):
            self._findings.add("missing_recommended_field", what)
        for name in [name for name in FILES if name in self.files]:
            refuse_orphans(self.files[name], self.files)

    def parts(self) -> Iterator[Part]:
        """Judge stop_times part by part, then run every rule that needs the whole of it.

        Each part holds whole trips, sorted by trip_id, then stop_sequence. It is given as soon as
        its rows are judged; rules are asked of it in a thread beside the caller's.
        """
        told: list[tuple[pl.DataFrame, ...]] = []
        stops = self.feed["stops"].select("stop_id").hstack(self.feed.stop_places)
        places = stops.drop_nulls("stop_id").unique("stop_id", keep="first", maintain_order=True)
        with ThreadPoolExecutor(1) as beside:
            for part in self.raw.stop_times() if self.raw.stop_times else ():
                if CALLS not in self._present:
                    self._open(CALLS, part)
                judged = self._judge(CALLS, part)
                if judged.typed.is_empty():
                    continue
                here = self._part(judged)
                self.call_count += judged.typed.height
                self._judge_calls(judged, here)
                refuse_orphans(judged, {**self.files, CALLS: judged})
                asked = beside.submit(self._ask, here)
                yield Part(judged, places)
                told.append(asked.result())
        if self.raw.stop_times is not None and not self.call_count:
            self._findings.add("empty_file", found_file(CALLS))
        if told:
            spans, served, routed, groups = (
                pl.concat(frames) for frames in zip(*told, strict=True)
            )
            self.feed.trip_spans = spans
            counts = served.group_by("stop_id", maintain_order=True)
            self.feed.served_stops = counts.agg(pl.col("call_count").sum())
            self.feed.route_stops = routed.unique(maintain_order=True)
            self.feed.served_groups = groups.unique(maintain_order=True)
        whole = [rule for rule in registered() if not rule.reads_calls and not _is_simple(rule)]
        self._run(self.feed, self.files, whole)

    def _ask(self, here: Feed) -> tuple[pl.DataFrame, ...]:
        """Ask the rules of a part of stop_times; what it tells those that need the whole."""
        self._run(here, {}, [rule for rule in registered() if rule.reads_calls])
        for code, found_here in conditional_of_calls(here):
            for what in found_here:
                self._findings.add(code, what)
        return (
            spans_of(here.calls),
            _served_stops(here.calls),
            _route_stops(here.calls, self.feed["trips"]),
            here.calls.select(pl.col("location_group_id").unique().drop_nulls()),
        )

    def notices(self) -> list[Notice]:
        """What was found, by code and file."""
        return list(self._findings.notices())

    def statuses(self) -> dict[str, tuple[Status, str]]:
        """Status of every rule by code, and the reason where it was not run."""
        failed = self._findings.codes()
        rules = {rule.code: rule for rule in registered()}
        kinds = frozenset[str]().union(*(kinds_in(*item) for item in self._present.items()))
        told: dict[str, tuple[Status, str]] = {}
        for code in sorted(CODES):
            if code in failed:
                told[code] = ("fail", "")
            elif code in self._raised:
                told[code] = ("not run", self._raised[code])
            elif code in rules:
                told[code] = self._status(rules[code])
            elif GENERIC[code].kinds and not kinds & set(GENERIC[code].kinds):
                told[code] = ("not applicable", "")
            else:
                told[code] = ("pass", "")
        return told

    def _status(self, rule: Rule) -> tuple[Status, str]:
        files = {CALLS if need in DERIVED else need.partition(".")[0] for need in rule.needs}
        broken = sorted(files & self._broken)
        if broken:
            return "not run", f"{', '.join(broken)} could not be read whole"
        if rule.waits:
            return "not run", rule.waits
        if rule.dated and self.as_of is None:
            return "not run", "no date to judge by"
        if not all(self.feed.has(need) for need in rule.needs):
            return "not applicable", ""
        return "pass", ""

    def _open(self, name: str, table: TextTable) -> None:
        """Look at a file's header."""
        if not table.columns:
            self._broken.add(name)
            return
        self._present[name] = frozenset(table.columns)
        for code, what in column_problems(name, table.columns):
            self._findings.add(code, what)
            if code == "missing_required_column":
                self._broken.add(name)
        if name in REQUIRED_FILES and name != CALLS and table.rows.is_empty():
            self._findings.add("empty_file", found_file(name))

    def _judge(self, name: str, table: TextTable) -> Judged:
        for code, rows in table.findings.items():
            self._findings.add(code, Found(name, rows))
            if code == "csv_parsing_failed" and rows.get_column(ROW).has_nulls():
                self._broken.add(name)  # nothing of it was read
        judged, problems = judge(name, table, self._present.get(name, frozenset()))
        for code, what in problems:
            self._findings.add(code, what)
        return judged

    def _part(self, judged: Judged) -> Feed:
        """The feed with one part of stop_times; its calls become the part's typed rows."""
        here = replace(self.feed, part=judged.typed)
        was_usable = judged.usable is judged.typed
        judged.typed = here.calls
        if was_usable:
            judged.usable = judged.typed
        else:
            judged.usable = replace(self.feed, part=judged.usable).calls
        return here

    def _judge_calls(self, judged: Judged, here: Feed) -> None:
        """Repeated keys and dangling references of a part of stop_times, by its sort order."""
        same = pl.all_horizontal(
            pl.col(key) == pl.col(key).shift(1) for key in ("trip_id", "stop_sequence")
        ).fill_null(value=False)
        value = pl.concat_str("trip_id", pl.col("stop_sequence").cast(pl.String), separator=",")
        repeated = found(CALLS, here.calls.filter(same), "trip_id,stop_sequence", value)
        self._findings.add("duplicate_key", repeated)
        judged.refuse("duplicate_key", repeated)
        backwards = out_of_order(here.calls, CALLS, "arrival_time", "departure_time")
        self._findings.add("start_and_end_range_out_of_order", backwards)
        judged.refuse("start_and_end_range_out_of_order", backwards)
        placed = (("trip_id", "trip_index"), ("stop_id", "stop_index"))
        lost = [
            found(CALLS, here.calls.filter(pl.col(key).is_not_null() & pl.col(at).is_null()), key)
            for key, at in placed
        ]
        leave_out = [key for key, _ in placed]
        lost.extend(dangling_references(CALLS, here.calls, self._ids, leave_out=leave_out))
        for what in lost:
            self._findings.add("foreign_key_violation", what)
            judged.refuse_or_blank("foreign_key_violation", what)

    def _run(self, feed: Feed, judged: Mapping[str, Judged], rules: list[Rule]) -> None:
        for rule in rules:
            if self._status(rule)[0] != "pass" or rule.code in self._raised:
                continue
            try:
                for what in rule.find(feed):
                    self._findings.add(rule.code, what)
                    if rule.code in REFUSING and what.file in judged:
                        judged[what.file].refuse(rule.code, what)
            except Exception as error:  # noqa: BLE001  # one broken rule must not stop the others
                why = f"{type(error).__name__}: {error}".partition("\n")[0]
                self._raised[rule.code] = why

    def _referred_ids(self) -> Mapping[str, pl.Series]:
        """Values of every column that others refer to, where the feed has it."""
        referred = {
            reference
            for file in FILES.values()
            for one in file.fields
            for reference in one.references
        }
        ids = {ZONE_ID: zone_ids(self.raw.geojson)} if self.raw.geojson is not None else {}
        for reference in referred:
            name, _, column = reference.partition(".")
            if name in self.files:
                ids[reference] = self.files[name].typed.get_column(column).drop_nulls().unique()
        return ids


def _is_simple(rule: Rule) -> bool:
    """Whether a rule can run before stop_times was seen."""
    return not DERIVED & set(rule.needs)


def _served_stops(calls: pl.DataFrame) -> pl.DataFrame:
    named = (
        calls.lazy()
        .drop_nulls("stop_id")
        .group_by("stop_index")
        .agg(pl.col("stop_id").first(), call_count=pl.len().cast(pl.UInt32))
    )
    return named.select("stop_id", "call_count").sort("stop_id").collect()


def _route_stops(calls: pl.DataFrame, trips: pl.DataFrame) -> pl.DataFrame:
    pairs = calls.select("trip_index", "stop_id", "stop_index").drop_nulls()
    route = trips.get_column("route_id").gather(pairs.get_column("trip_index"))
    return (
        pairs.lazy()
        .with_columns(route)
        .group_by("route_id", "stop_index")
        .agg(pl.col("stop_id").first())
        .select("route_id", "stop_id")
        .sort("route_id", "stop_id")
        .collect()
    )
