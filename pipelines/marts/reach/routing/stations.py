"""Doors: where streets meet stops, and the ways from there to the platforms.

A stop is its own door. A platform of a station whose entrances and platforms are joined by
pathways is reached by them: its doors are the entrances (GTFS location_type 2), each so many
seconds from the platform and to it. A pathway takes its traversal_time, or its length, or else the
straight line between its ends, at walking pace; without any of these no time; a boarding
area is as near as its platform. Without steps nobody
takes stairs or escalators.

Left out: queues at gates and lifts, and that some doors close at night.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from pipelines.marts.reach.assumptions import WALK_M_PER_MINUTE
from pipelines.marts.reach.catchment import EARTH_RADIUS_M
from pipelines.marts.reach.routing.feeds import FEED, Feeds, StepFree, places_of

STOP, ENTRANCE, BOARDING_AREA = 0, 2, 4  # GTFS location_type
WITH_STEPS = (2, 4)  # GTFS pathway_mode: stairs, escalator
M_PER_SECOND = WALK_M_PER_MINUTE / 60

DOOR_COLUMNS = {
    "place": pl.UInt32,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "enter_seconds": pl.Int32,
    "leave_seconds": pl.Int32,
}


def on_foot(walks: pl.DataFrame) -> pl.DataFrame:
    """Walks with `seconds` for their `distance_m`, full seconds from below."""
    seconds = (pl.col("distance_m").cast(pl.Float64) / M_PER_SECOND).ceil().cast(pl.Int32)
    return walks.select("from_index", "to_index", seconds=seconds)


def straight_m(ends: pl.DataFrame) -> pl.Series:
    """Great-circle metres between latitude, longitude and to_latitude, to_longitude."""
    radians = [
        np.radians(ends[name].to_numpy().astype(np.float64))
        for name in ("latitude", "longitude", "to_latitude", "to_longitude")
    ]
    latitude, longitude, to_latitude, to_longitude = radians
    half = np.sin((to_latitude - latitude) / 2) ** 2
    half += np.cos(latitude) * np.cos(to_latitude) * np.sin((to_longitude - longitude) / 2) ** 2
    metres = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1)))
    return pl.Series(metres).fill_nan(None)


@dataclass(frozen=True)
class Doors:
    """Where one enters and leaves all stops of the feeds.

    `doors` has the columns of `DOOR_COLUMNS`, ordered by place; walks count its rows. Seconds are
    null where one can't enter (leave) by it. A place whose pathways lead to no entrance has no
    door, nor has one that lies nowhere. `ways` are from_place, to_place, seconds by pathways alone.
    """

    doors: pl.DataFrame
    ways: pl.DataFrame

    @classmethod
    def of(cls, feeds: Feeds, step_free: StepFree | None = None) -> Doors:
        """All stops and platforms with their doors, for travellers with or without steps."""
        places = places_of(feeds)
        stops = places.filter(pl.col("location_type").is_in((STOP, BOARDING_AREA)))
        edges = _edges(places, feeds.pathways)
        inside = _inside(places, edges).implode()
        apart = stops.filter(~pl.col("place").is_in(inside)).drop_nulls(["latitude", "longitude"])
        nothing = pl.lit(0, pl.Int32)
        own = apart.with_columns(enter_seconds=nothing, leave_seconds=nothing)
        if step_free is not None:
            edges = edges.filter(~pl.col("pathway_mode").is_in(WITH_STEPS))
        platforms = stops.filter(pl.col("place").is_in(inside))["place"]
        entrances = places.filter(pl.col("place").is_in(inside), location_type=ENTRANCE)
        entrances = entrances.drop_nulls(["latitude", "longitude"])
        leave, enter, ways = _times(places.height, edges, platforms, entrances["place"])
        by_entrance = enter.join(leave, on=["place", "entrance"], how="full", coalesce=True).join(
            entrances.select("latitude", "longitude", entrance="place"), on="entrance"
        )
        both = pl.concat([own.select(*DOOR_COLUMNS), by_entrance.select(*DOOR_COLUMNS)])
        return cls(both.sort("place", "latitude", "longitude"), ways)

    @property
    def points(self) -> np.typing.NDArray[np.float64]:
        """Latitude and longitude of the doors, an array of shape (n, 2)."""
        return self.doors.select("latitude", "longitude").to_numpy()

    def access(self, walks: pl.DataFrame) -> pl.DataFrame:
        """Walks from cells to doors as cell, place, seconds: the least of each pair."""
        inside = self.doors.select("place", more="enter_seconds").with_row_index("to_index")
        joined = walks.join(inside.drop_nulls(), on="to_index")
        return _least(joined, pl.col("from_index").alias("cell"), pl.col("place"))

    def egress(self, walks: pl.DataFrame) -> pl.DataFrame:
        """Walks from doors to cells as cell, place, seconds: the least of each pair."""
        outside = self.doors.select("place", more="leave_seconds").with_row_index("from_index")
        joined = walks.join(outside.drop_nulls(), on="from_index")
        return _least(joined, pl.col("to_index").alias("cell"), pl.col("place"))

    def foot(self, walks: pl.DataFrame) -> pl.DataFrame:
        """Walks between doors as from_place, to_place, seconds: the least, pathways included."""
        numbered = self.doors.with_row_index("door")
        out = numbered.select(from_index="door", from_place="place", out="leave_seconds")
        into = numbered.select(to_index="door", to_place="place", into="enter_seconds")
        here = numbered.select(from_index="door", to_index="door", seconds=pl.lit(0, pl.Int32))
        walked = pl.concat([walks.select(here.columns).cast(here.schema), here])
        walked = walked.join(out.drop_nulls(), on="from_index")
        walked = walked.join(into.drop_nulls(), on="to_index")
        seconds = pl.col("seconds") + pl.col("out") + pl.col("into")
        ends = ("from_place", "to_place")
        streets = walked.select(*ends, seconds=seconds)
        return pl.concat([streets, self.ways]).group_by(ends).agg(pl.min("seconds")).sort(ends)


def _least(walks: pl.DataFrame, *ends: pl.Expr) -> pl.DataFrame:
    seconds = (pl.col("seconds") + pl.col("more")).cast(pl.Int32)
    walked = walks.select(*ends, seconds=seconds)
    names = walked.columns[:2]
    return walked.group_by(names).agg(pl.min("seconds")).sort(names)


def _edges(places: pl.DataFrame, pathways: pl.DataFrame) -> pl.DataFrame:
    """Pathways as from_place, to_place, seconds and pathway_mode, each direction by itself."""
    ends = places.select(*FEED, "stop_id", "place", "latitude", "longitude")
    to_ends = ends.rename({name: f"to_{name}" for name in ("place", "latitude", "longitude")})
    joined = pathways.join(ends, left_on=[*FEED, "from_stop_id"], right_on=[*FEED, "stop_id"]).join(
        to_ends, left_on=[*FEED, "to_stop_id"], right_on=[*FEED, "stop_id"]
    )
    walked = pl.coalesce("length", pl.lit(straight_m(joined)), pl.lit(0.0)) / M_PER_SECOND
    ways = joined.select(
        from_place="place",
        to_place="to_place",
        seconds=pl.coalesce("traversal_time", walked.ceil()).cast(pl.Int32),
        pathway_mode="pathway_mode",
        is_bidirectional="is_bidirectional",
    )
    back = ways.filter(is_bidirectional=1).rename(
        {"from_place": "to_place", "to_place": "from_place"}
    )
    areas = places.filter(pl.col("parent").is_not_null(), location_type=BOARDING_AREA)
    steps = (("place", "parent"), ("parent", "place"))
    to_areas = [
        areas.select(
            from_place=one,
            to_place=other,
            seconds=pl.lit(0, pl.Int32),
            pathway_mode=pl.lit(1, pl.Int32),
        )
        for one, other in steps
    ]
    both = pl.concat([ways, back.select(ways.columns)]).drop("is_bidirectional")
    return pl.concat([both, *to_areas])


def _inside(places: pl.DataFrame, edges: pl.DataFrame) -> pl.Series:
    """Places of the stations that have pathways and entrances joined by them."""
    touched = pl.concat([edges["from_place"], edges["to_place"]]).unique()
    at = places.filter(pl.col("place").is_in(touched.implode()))
    stations = at.filter(location_type=ENTRANCE)["station"].unique()
    return places.filter(pl.col("station").is_in(stations.implode()))["place"]


def _times(
    place_count: int, edges: pl.DataFrame, platforms: pl.Series, entrances: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Seconds from platforms to entrances, from entrances to platforms, between platforms."""
    least = edges.group_by("from_place", "to_place").agg(pl.min("seconds"))
    # A way that takes no time would be no edge of a sparse matrix: a millisecond is rounded off.
    weight = np.maximum(least["seconds"].to_numpy().astype(np.float64), 1e-3)
    rows, columns = least["from_place"].to_numpy(), least["to_place"].to_numpy()
    graph = csr_matrix((weight, (rows, columns)), shape=(place_count, place_count))
    begins, doors = platforms.to_numpy(), entrances.to_numpy()
    if not len(begins):
        nowhere = pl.DataFrame(schema={"place": pl.UInt32, "entrance": pl.UInt32})
        empty = pl.DataFrame(
            schema={"from_place": pl.UInt32, "to_place": pl.UInt32, "seconds": pl.Int32}
        )
        seconds = pl.lit(None, pl.Int32)
        return (
            nowhere.with_columns(leave_seconds=seconds),
            nowhere.with_columns(enter_seconds=seconds),
            empty,
        )
    out = dijkstra(graph, indices=begins)
    back = dijkstra(graph.T.tocsr(), indices=begins)
    return (
        _pairs(out[:, doors], platforms, entrances, ("place", "entrance", "leave_seconds")),
        _pairs(back[:, doors], platforms, entrances, ("place", "entrance", "enter_seconds")),
        _pairs(out[:, begins], platforms, platforms, ("from_place", "to_place", "seconds")),
    )


def _pairs(
    seconds: np.typing.NDArray[np.float64],
    one: pl.Series,
    other: pl.Series,
    names: tuple[str, str, str],
) -> pl.DataFrame:
    at, to = np.nonzero(np.isfinite(seconds))
    rounded = np.round(seconds[at, to]).astype(np.int32)
    return pl.DataFrame({names[0]: one.gather(at), names[1]: other.gather(to), names[2]: rounded})
