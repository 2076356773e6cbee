"""The way of the data: every source kind and every table, in the order in which they are made.

    sources -> landing -> staging -> marts -> audit -> publish

A name is an address. `staging.stops` is made by `stage_stops` in the module its row names, under
the contract `Stops` above that function; `marts.metro_reach` by `compute_metro_reach` in
`pipelines/marts/metro_reach.py`, or by `sql/marts/metro_reach.sql` where that file exists (the
contract is in the module all the same). `expectations/marts.metro_reach.toml` and
`tests/marts/test_metro_reach.py` belong to it. To add a figure: one mart, one test, one line here.

This module is read when DAGs are parsed: it imports nothing but the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class SourceKind:
    """A kind of source: its parser (bytes to raw frames) and the DAG's task group it belongs to.

    A kind that `is_screened` may bring personal data: its parser sees each object before a byte
    of it is landed, and what it refuses is never stored. `hash_plates` makes what is landed where
    the city file says that the plates of a source are in clear. Of a kind that `is_cumulative` each
    object is a piece of one long series: it counts on when upstream no longer lists it.
    """

    name: str
    group: Literal["gtfs", "fleet", "traffic", "reference", "realtime"]
    parse: str  # dotted path of parse_<kind>(payload, source) -> {raw frame name: frame}
    is_screened: bool = False
    hash_plates: str = ""  # dotted path of hash_<kind>(payload, source, column, key) -> bytes
    is_cumulative: bool = False


@dataclass(frozen=True)
class Personal:
    """What is said of a table of single vehicles: the column that dates its rows, and the table of
    the same source, with the column passed_date, that tells of which local days a version is."""

    instant: str
    days: str


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    `source` is the kind whose versions fill a staging table. `reads` are the tables that a mart's
    maker takes, each as the keyword argument after the dot. A table `by` version has one partition
    for each version of a source, made once; one by service_date has one for each night. `history`
    also fills the reference days of the months before, so that a year ago can be compared; one that
    is `of_passages` has one partition for each local day up to it on which vehicles were read, made
    from the readings of that day and of those beside it, and again when these have changed. An
    `extract` goes to the ministry as files; marts (but those that are `lake_only`, since they would
    make the file too large) and what is `published` go to the analysts.
    A staging load fails when more than `max_quarantine_share` of its rows are refused. A table
    that is made `in_parts` may be larger than memory: its maker takes what the parser's `parts()`
    gives, part after part in key order; the others of its source are made when all have passed.
    A table that is `personal` holds rows of single vehicles: never published, and deleted after the
    city's retention period (`warehouse.forgetting`).
    A maker is told what it `takes` of the city too: its policy, its events, its sources' marks. A
    table by source has one partition for each source, made again when the source has another
    version. One of a night may be told of its `past`: the tables of which it takes the partitions
    of all nights before, as past_<name>.

    A mart takes of each feed the version that governs the day. One that `asks` for fetched_versions
    takes all that were ever fetched, one that asks for version_changes the two versions of each
    feed that another one governs than the night before. One that asks for register_versions is told
    which versions of its registers govern; by source, all that ever did, and it takes these. The
    maker takes the frame of the name asked for too.
    """

    name: str
    module: str = ""
    source: str = ""
    reads: tuple[str, ...] = ()
    by: Literal["version", "service_date", "inputs", "source"] = "service_date"
    extract: bool = False
    published: bool = False
    lake_only: bool = False
    history: bool = False
    max_quarantine_share: float = 0.01
    in_parts: bool = False
    of_passages: bool = False
    personal: Personal | None = None
    takes: tuple[Literal["policy", "events", "marks", "forgotten_days"], ...] = ()
    asks: Literal[
        "", "fetched_versions", "version_changes", "register_versions", "compared_nights"
    ] = ""
    past: tuple[str, ...] = ()

    @property
    def is_shared(self) -> bool:
        """Whether its partitions of one night are many and large: tasks may share them."""
        return self.of_passages or self.by == "inputs"

    @property
    def schema(self) -> str:
        """Schema of the lake, e.g. ``marts``."""
        return self.name.partition(".")[0]

    @property
    def short_name(self) -> str:
        """The name after the dot, e.g. ``metro_reach``."""
        return self.name.partition(".")[2]

    @property
    def contract(self) -> str:
        """Name of the contract's class, e.g. ``MetroReach``."""
        return "".join(word.capitalize() for word in self.short_name.split("_"))

    @property
    def maker(self) -> str:
        """Name of the function that makes it, e.g. ``compute_metro_reach``."""
        return ("stage_" if self.source else "compute_") + self.short_name

    @property
    def maker_path(self) -> str:
        """Dotted path of the maker, e.g. ``pipelines.staging.gtfs:stage_stops``."""
        return f"{self.module_path}:{self.maker}"

    @property
    def module_path(self) -> str:
        """Dotted path of the module that holds contract and maker."""
        return self.module or f"pipelines.{self.name}"


_TRAFFIC_PARSE = "pipelines.sources.traffic.parse"
_PASSAGES_PARSE = "pipelines.sources.traffic.passages"
_REALTIME_PARSE = "pipelines.sources.realtime.parse"

SOURCE_KINDS = (
    SourceKind("gtfs", "gtfs", "pipelines.sources.gtfs.parse:parse_gtfs"),
    SourceKind("fleet", "fleet", "pipelines.sources.fleet.parse:parse_fleet"),
    SourceKind("count_stations", "traffic", f"{_TRAFFIC_PARSE}:parse_count_stations"),
    SourceKind(
        "traffic_counts",
        "traffic",
        f"{_TRAFFIC_PARSE}:parse_traffic_counts",
        is_cumulative=True,
    ),
    SourceKind(
        "passages",
        "traffic",
        f"{_PASSAGES_PARSE}:parse_passages",
        is_screened=True,
        hash_plates=f"{_PASSAGES_PARSE}:hash_passages",
        is_cumulative=True,
    ),
    SourceKind(
        "toll_transactions",
        "traffic",
        f"{_PASSAGES_PARSE}:parse_toll_transactions",
        is_screened=True,
        hash_plates=f"{_PASSAGES_PARSE}:hash_toll_transactions",
        is_cumulative=True,
    ),
    SourceKind(
        "read_audits", "traffic", f"{_PASSAGES_PARSE}:parse_read_audits", is_cumulative=True
    ),
    SourceKind("population", "reference", "pipelines.sources.population.parse:parse_population"),
    SourceKind("districts", "reference", "pipelines.sources.districts.parse:parse_districts"),
    SourceKind("streets", "reference", "pipelines.sources.streets.parse:parse_streets"),
    SourceKind(
        "opportunities", "reference", "pipelines.sources.opportunities.parse:parse_opportunities"
    ),
    SourceKind(
        "fleet_snapshots",
        "reference",
        "pipelines.sources.fleet.published:parse_fleet_snapshots",
    ),
    SourceKind("commitments", "reference", "pipelines.sources.commitments.parse:parse_commitments"),
    SourceKind("works", "reference", "pipelines.sources.works.parse:parse_works"),
    SourceKind(
        "published_levels",
        "reference",
        "pipelines.sources.traffic.published:parse_published_levels",
    ),
    # A group of their own: no mart waits for a feed that is silent.
    SourceKind("vehicle_positions", "realtime", f"{_REALTIME_PARSE}:parse_vehicle_positions"),
    SourceKind("trip_updates", "realtime", f"{_REALTIME_PARSE}:parse_trip_updates"),
)

_GTFS = "pipelines.staging.gtfs"
_TRAFFIC = "pipelines.staging.traffic"
_PASSAGES = "pipelines.staging.passages"
_REALTIME = "pipelines.staging.realtime"
_SERVICE = ("staging.service_dates", "staging.trips", "staging.stop_times")
_PEOPLE = ("staging.population_cells", "staging.districts")
_STREETS = ("staging.street_nodes", "staging.street_links")
_REACH = (*_SERVICE, "staging.routes", "staging.stops", *_PEOPLE, *_STREETS)
_NETWORK = (
    "staging.feed_versions",
    *_SERVICE,
    "staging.frequencies",
    "staging.routes",
    "staging.stops",
    "staging.transfers",
    "staging.pathways",
    "staging.population_cells",
    *_STREETS,
)
_THROUGH = (
    "marts.matched_trips",
    "marts.toll_audits",
    "staging.passage_days",
    "staging.count_stations",
    "staging.read_audits",
)
_TWO_VERSIONS = (
    "staging.agency",
    "staging.routes",
    "staging.stops",
    "staging.service_dates",
    "marts.trip_stats",
    "marts.trip_patterns",
)

TABLES = (
    # Staging: GTFS names verbatim, one partition per feed version.
    Table("staging.feed_versions", _GTFS, source="gtfs", by="version", published=True),
    Table("staging.feed_notices", _GTFS, source="gtfs", by="version", published=True),
    Table("staging.feed_rules", _GTFS, source="gtfs", by="version", published=True),
    Table("staging.agency", _GTFS, source="gtfs", by="version"),
    Table("staging.stops", _GTFS, source="gtfs", by="version", published=True),
    Table("staging.routes", _GTFS, source="gtfs", by="version", published=True),
    Table("staging.trips", _GTFS, source="gtfs", by="version"),
    Table("staging.stop_times", _GTFS, source="gtfs", by="version", in_parts=True),
    Table("staging.frequencies", _GTFS, source="gtfs", by="version"),
    # What helps a router inside stations stops no feed.
    Table("staging.transfers", _GTFS, source="gtfs", by="version", max_quarantine_share=1.0),
    Table("staging.pathways", _GTFS, source="gtfs", by="version", max_quarantine_share=1.0),
    Table("staging.shapes", _GTFS, source="gtfs", by="version"),
    Table("staging.calendar", _GTFS, source="gtfs", by="version"),
    Table("staging.calendar_dates", _GTFS, source="gtfs", by="version"),
    Table("staging.service_dates", _GTFS, source="gtfs", by="version"),
    # Staging: registers and traffic.
    Table(
        "staging.vehicles",
        "pipelines.staging.fleet",
        source="fleet",
        by="version",
        published=True,
        max_quarantine_share=0.02,
    ),
    Table(
        "staging.vehicle_states",
        "pipelines.staging.fleet",
        source="fleet",
        by="version",
        max_quarantine_share=0.02,
    ),
    Table("staging.fleet_snapshots", source="fleet_snapshots", by="version", published=True),
    Table("staging.count_stations", _TRAFFIC, source="count_stations", by="version"),
    Table("staging.count_station_hours", _TRAFFIC, source="traffic_counts", by="version"),
    Table("staging.count_station_days", source="traffic_counts", by="version"),
    Table(
        "staging.passages",
        _PASSAGES,
        source="passages",
        by="version",
        personal=Personal("passed_at", "staging.passage_days"),
    ),
    Table("staging.passage_days", _PASSAGES, source="passages", by="version"),
    Table(
        "staging.toll_transactions",
        _PASSAGES,
        source="toll_transactions",
        by="version",
        personal=Personal("paid_at", "staging.toll_days"),
    ),
    Table("staging.toll_days", _PASSAGES, source="toll_transactions", by="version"),
    Table("staging.read_audits", _PASSAGES, source="read_audits", by="version"),
    # Staging: reference.
    Table(
        "staging.population_cells",
        "pipelines.staging.population",
        source="population",
        by="version",
    ),
    Table(
        "staging.districts",
        "pipelines.staging.districts",
        source="districts",
        by="version",
        published=True,
    ),
    Table("staging.street_nodes", "pipelines.staging.streets", source="streets", by="version"),
    Table("staging.street_links", "pipelines.staging.streets", source="streets", by="version"),
    Table(
        "staging.opportunities",
        "pipelines.staging.opportunities",
        source="opportunities",
        by="version",
    ),
    Table(
        "staging.commitments", "pipelines.staging.commitments", source="commitments", by="version"
    ),
    Table(
        "staging.announced_targets",
        "pipelines.staging.commitments",
        source="commitments",
        by="version",
    ),
    Table("staging.street_works", "pipelines.staging.street_works", source="works", by="version"),
    Table("staging.published_levels", source="published_levels", by="version", published=True),
    # Staging: GTFS-Realtime, one partition per capture. A capture may hold a dozen vehicles, so
    # that one without a fix is a large share of it.
    Table(
        "staging.vehicle_positions",
        _REALTIME,
        source="vehicle_positions",
        by="version",
        max_quarantine_share=0.2,
    ),
    Table(
        "staging.trip_updates",
        _REALTIME,
        source="trip_updates",
        by="version",
        max_quarantine_share=0.2,
    ),
    # Marts: one partition per feed version.
    Table(
        "marts.trip_stats",
        reads=(
            "staging.trips",
            "staging.routes",
            "staging.stops",
            "staging.stop_times",
            "staging.shapes",
            "staging.frequencies",
            "staging.feed_versions",
        ),
        by="version",
    ),
    Table(
        "marts.trip_patterns",
        reads=(
            "staging.trips",
            "staging.stops",
            "staging.stop_times",
            "staging.frequencies",
            "staging.service_dates",
        ),
        by="version",
    ),
    # Marts: the feeds themselves, one partition per service date.
    Table("marts.governing_versions", reads=("staging.feed_versions",), asks="fetched_versions"),
    Table(
        "marts.feed_health",
        reads=("staging.feed_versions", "marts.governing_versions"),
        asks="fetched_versions",
    ),
    Table("marts.feed_changes", reads=_TWO_VERSIONS, asks="version_changes"),
    Table("marts.feed_change_rows", reads=_TWO_VERSIONS, asks="version_changes"),
    # Marts: figures, one partition per service date.
    Table("marts.feed_quality", reads=("staging.feed_notices",), takes=("policy",)),
    Table("marts.route_stats", reads=("marts.trip_stats", "staging.service_dates"), extract=True),
    Table(
        "marts.stop_stats", reads=(*_SERVICE, "staging.stops", "staging.frequencies"), extract=True
    ),
    Table(
        "marts.stop_departures",
        reads=(*_SERVICE, "staging.stops", "staging.frequencies", "staging.feed_versions"),
    ),
    Table("marts.metro_reach", reads=_REACH, extract=True, history=True),
    Table("marts.bus_reach", reads=_REACH, extract=True, history=True),
    Table("marts.rail_reach", reads=_REACH, extract=True, history=True),
    Table(
        "marts.cell_access",
        reads=(*_REACH, "staging.frequencies", "staging.feed_versions"),
    ),
    Table("marts.access_typology", reads=("marts.cell_access", "staging.districts"), extract=True),
    Table("marts.ptal", reads=("marts.cell_access", "staging.districts"), extract=True),
    # Door to door: computed once for all nights and mode sets with the same inputs.
    Table("marts.reach_inputs", reads=(*_NETWORK, "staging.opportunities")),
    Table(
        "marts.travel_times",
        reads=("marts.reach_inputs", *_NETWORK),
        by="inputs",
        lake_only=True,
    ),
    Table(
        "marts.opportunities_reached",
        reads=(
            "marts.reach_inputs",
            "marts.travel_times",
            "staging.population_cells",
            "staging.opportunities",
        ),
        by="inputs",
    ),
    Table(
        "marts.accessibility",
        reads=(
            "marts.reach_inputs",
            "marts.opportunities_reached",
            *_PEOPLE,
            "staging.opportunities",
        ),
        extract=True,
    ),
    Table("marts.metro_contribution", reads=("marts.accessibility",), extract=True),
    Table(
        "marts.reach_equity",
        reads=(
            "marts.metro_reach",
            "marts.bus_reach",
            "marts.rail_reach",
            "marts.accessibility",
            "staging.districts",
        ),
        extract=True,
        history=True,
    ),
    Table(
        "marts.reach_change",
        reads=(*_REACH, "marts.metro_reach", "marts.bus_reach", "marts.rail_reach"),
        past=("marts.metro_reach", "marts.bus_reach", "marts.rail_reach"),
        asks="compared_nights",
        extract=True,
    ),
    Table(
        "marts.suburban_rail",
        reads=(
            *_SERVICE,
            "staging.frequencies",
            "staging.routes",
            "staging.stops",
            "staging.population_cells",
            *_STREETS,
        ),
        extract=True,
    ),
    Table(
        "marts.vehicle_history",
        reads=("staging.vehicles", "staging.vehicle_states"),
        by="source",
        asks="register_versions",
    ),
    Table(
        "marts.diesel_phase_out",
        reads=("marts.vehicle_history",),
        asks="register_versions",
        extract=True,
        history=True,
    ),
    Table(
        "marts.diesel_burn_down",
        reads=("marts.vehicle_history",),
        asks="register_versions",
        extract=True,
    ),
    Table(
        "marts.diesel_vehicle_km",
        reads=(
            "marts.vehicle_history",
            "marts.trip_stats",
            "staging.service_dates",
            "staging.routes",
            "staging.agency",
        ),
        extract=True,
    ),
    Table(
        "marts.diesel_forecast",
        reads=("marts.vehicle_history", "marts.diesel_burn_down", "staging.commitments"),
        extract=True,
    ),
    Table(
        "marts.forecast_skill",
        reads=("marts.vehicle_history",),
        past=("marts.diesel_forecast",),
        extract=True,
    ),
    Table(
        "marts.fleet_reconciliation",
        reads=("marts.vehicle_history", "staging.fleet_snapshots"),
        extract=True,
    ),
    Table(
        "marts.bus_emissions",
        reads=(
            "marts.trip_stats",
            "staging.service_dates",
            "staging.routes",
            "staging.agency",
            "marts.vehicle_history",
        ),
        extract=True,
    ),
    Table("marts.main_streets", reads=("staging.street_works",), extract=True),
    # Through traffic: counted once for each local day, all else from the counts.
    Table(
        "marts.matched_trips",
        reads=("staging.count_stations", "staging.passages"),
        of_passages=True,
        lake_only=True,
    ),
    Table(
        "marts.toll_audits",
        reads=("staging.toll_transactions", "staging.passages"),
        of_passages=True,
        lake_only=True,
    ),
    Table(
        "marts.sensor_health",
        reads=(
            "staging.count_stations",
            "staging.count_station_days",
            "staging.passage_days",
            "marts.matched_trips",
        ),
        takes=("events",),
    ),
    Table(
        "marts.station_aadt",
        reads=("staging.count_stations", "staging.count_station_days", "marts.sensor_health"),
        extract=True,
    ),
    Table(
        "marts.station_factors",
        reads=("staging.count_stations", "staging.count_station_days", "marts.station_aadt"),
    ),
    Table("marts.through_trips", reads=_THROUGH, extract=True),
    Table("marts.ring_road_diversion", reads=_THROUGH, takes=("forgotten_days",), extract=True),
    Table(
        "marts.ring_road_moved",
        reads=(
            "marts.ring_road_diversion",
            "marts.through_trips",
            "marts.matched_trips",
            "staging.count_stations",
        ),
        extract=True,
    ),
    Table(
        "marts.ring_road_restatements",
        reads=("marts.ring_road_diversion",),
        past=("marts.ring_road_diversion",),
        extract=True,
    ),
    Table(
        "marts.ring_road_effect",
        reads=("staging.count_stations", "staging.count_station_days", "marts.sensor_health"),
        takes=("events",),
        extract=True,
    ),
    Table(
        "marts.ring_road_levels",
        reads=(
            "staging.published_levels",
            "staging.count_stations",
            "staging.count_station_days",
        ),
        takes=("marks",),
        extract=True,
    ),
    Table(
        "marts.commitments_status",
        reads=(
            "staging.commitments",
            "marts.metro_reach",
            "marts.bus_reach",
            "marts.reach_equity",
            "marts.diesel_phase_out",
            "marts.ring_road_diversion",
            "marts.bus_emissions",
            "marts.main_streets",
            "marts.diesel_forecast",
        ),
        extract=True,
    ),
    Table(
        "marts.commitment_targets",
        reads=("staging.announced_targets", "marts.diesel_burn_down"),
        extract=True,
    ),
)

# What runs compiled, in the tables by inputs.
COMPILED = "pipelines.marts.reach.routing.router"

_BY_NAME = {table.name: table for table in TABLES}
_KINDS = {kind.name: kind for kind in SOURCE_KINDS}


def table(name: str) -> Table:
    """The table with this name. KeyError where there is none."""
    return _BY_NAME[name]


def source_kind(name: str) -> SourceKind:
    """The source kind with this name. KeyError where there is none."""
    return _KINDS[name]


def staging_tables(kind: str | None = None) -> tuple[Table, ...]:
    """The staging tables that a source kind fills (all of them without a kind)."""
    return tuple(t for t in TABLES if t.source and kind in (None, t.source))


def needed(figures: Collection[str] = ()) -> tuple[Table, ...]:
    """All tables, or those that some marts need: the marts, what they read, and all of staging.

    KeyError where a name is no table's.
    """
    wanted = {name for figure in figures for name in _with_what_it_reads(figure)}
    return tuple(t for t in TABLES if t.source or not figures or t.name in wanted)


def _with_what_it_reads(name: str) -> set[str]:
    below = (*_BY_NAME[name].reads, *_BY_NAME[name].past)
    return {name}.union(*(_with_what_it_reads(read) for read in below))


def marts(figures: Collection[str] = ()) -> tuple[Table, ...]:
    """The marts that a city makes, in an order in which each comes after what it reads."""
    return tuple(t for t in needed(figures) if not t.source)


def published_tables(figures: Collection[str] = ()) -> tuple[Table, ...]:
    """The tables of the analysts' file: every mart, and the staging tables they ask for."""
    return tuple(t for t in needed(figures) if t.published or not (t.source or t.lake_only))


def extracts(figures: Collection[str] = ()) -> tuple[Table, ...]:
    """The figures that the ministry receives as files."""
    return tuple(t for t in needed(figures) if t.extract)


def groups_read(name: str) -> tuple[str, ...]:
    """The source groups that a mart reads directly, in the order of `SOURCE_KINDS`."""
    kinds = {_BY_NAME[read].source for read in _BY_NAME[name].reads}
    return tuple(dict.fromkeys(kind.group for kind in SOURCE_KINDS if kind.name in kinds))


def marts_read(name: str) -> tuple[str, ...]:
    """The marts that a mart reads directly."""
    return tuple(read for read in _BY_NAME[name].reads if not _BY_NAME[read].source)


def kinds_under(name: str) -> frozenset[str]:
    """The source kinds that a table stands on, through all that it reads."""
    here = _BY_NAME[name]
    below = (kinds_under(read) for read in here.reads)
    return frozenset({here.source} - {""}).union(*below)


def load_function(path: str) -> Callable[..., Any]:
    """The function at a dotted path such as ``pipelines.staging.gtfs:stage_stops``."""
    module, _, name = path.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
