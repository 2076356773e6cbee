"""Zones: a locations.geojson that breaks each rule, beside features that do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.staging.gtfs.rules import geojson
from pipelines.staging.gtfs.rules.feed import Feed
from pipelines.staging.gtfs.rules.fields import ZONES
from pipelines.staging.gtfs.rules.rule import Found
from pipelines.staging.gtfs.rules.zones import read_zones, zone_ids, zone_points
from tests.staging.rules.toys import RULES, Case, Finding, case, check, feed, rules_broken, rules_in

Json = dict[str, object]


def square(west: float, south: float, side: float = 1) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def zone(name: object = "a", ring: object = None, **members: object) -> Json:
    polygon = {"type": "Polygon", "coordinates": [ring or square(76, 43)]}
    return {"id": name, "type": "Feature", "properties": {}, "geometry": polygon, **members}


def geometry(kind: str, coordinates: object) -> Json:
    return {"type": kind, "coordinates": coordinates}


def text(*features: object, **members: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


def zones(code: str, *told: tuple[str | None, str | None], of: str, **files: str) -> Case:
    found: list[Finding] = [(ZONES, None, *one) for one in told]
    return case(code, *found, geojson=of, **files)


BOW = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]
HOLE_OUTSIDE = [square(76, 43), square(80, 43)]
CALLS = (
    "trip_id,stop_sequence,location_id,start_pickup_drop_off_window,end_pickup_drop_off_window,"
    "pickup_type,drop_off_type"
)
# a and b overlap in part, c touches a, d lies within a, e is open; a repeats itself as f.
SHAPES = text(
    zone("a", square(76, 43)),
    zone("b", square(76.5, 43.5)),
    zone("c", square(77, 43)),
    zone("d", square(76.1, 43.1, 0.1)),
    zone("e", square(76.5, 43.5)[:-1]),
    zone("f", square(76, 43)),
)

CASES = [
    zones(
        "malformed_json",
        (None, "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        of="{",
    ),
    zones("malformed_json", (None, "The root is no object."), of="[]"),
    zones("malformed_json", (None, "NaN is no JSON number."), of='{"type": NaN}'),
    zones("malformed_json", of=text(zone())),
    zones(
        "geo_json_duplicated_element",
        ("id", None),
        ("type", None),
        of='{"type": "x", "type": "y", "features": [{"id": 1, "id": 2, "type": "Feature"}]}',
    ),
    zones("geo_json_duplicated_element", of=text(zone("a"), zone("b"))),
    zones(
        "geo_json_unknown_element",
        ("crs", None),
        ("features[0].stop_name", None),
        ("features[1].geometry.bbox", None),
        of=text(
            zone(stop_name="Abay"),
            zone(geometry={**geometry("Polygon", [square(0, 0)]), "bbox": []}),
            zone(properties={"stop_name": "Abay"}),
            crs={},
        ),
    ),
    zones("unsupported_geo_json_type", ("type", "Feature"), of='{"type": "Feature"}'),
    zones("unsupported_geo_json_type", of=text(zone())),
    zones("missing_required_element", ("features", None), ("type", None), of="{}"),
    zones(
        "missing_required_element",
        ("features[0].geometry", None),
        ("features[0].id", None),
        ("features[0].properties", None),
        ("features[0].type", None),
        ("features[1].id", None),
        ("features[2].geometry.coordinates", None),
        ("features[2].geometry.type", None),
        ("features[3].geometry.coordinates", None),
        of=text({}, zone(""), zone(geometry=None), zone(geometry={"type": "Polygon"}), zone()),
    ),
    zones(
        "unsupported_feature_type",
        ("features[1].type", "Circle"),
        of=text(zone(), zone(type="Circle")),
    ),
    zones(
        "unsupported_geometry_type",
        ("features[2].geometry.type", "Point"),
        of=text(
            zone(),
            zone(geometry=geometry("MultiPolygon", [[square(0, 0)]])),
            zone(geometry=geometry("Point", [76, 43])),
        ),
    ),
    zones(
        "invalid_geometry",
        ("features[1].geometry.coordinates", "A ring is open."),
        ("features[2].geometry.coordinates", "A ring has fewer than four points."),
        ("features[3].geometry.coordinates", "A point is not two numbers."),
        ("features[4].geometry.coordinates", "Coordinates are nested in another way."),
        ("features[5].geometry.coordinates", "Hole lies outside shell[80 43]"),
        ("features[6].geometry.coordinates", "Self-intersection[0.5 0.5]"),
        ("features[8].geometry.coordinates", "int too large to convert to float"),
        ("features[9].geometry.coordinates", "A point is not two numbers."),
        of=text(
            zone(ring=[[*point, 850.0] for point in square(76, 43)]),
            zone(ring=square(76, 43)[:-1]),
            zone(ring=[[0, 0], [1, 1], [0, 0]]),
            zone(ring=[["0", 0], [1, 1], [1, 0], ["0", 0]]),
            zone(geometry=geometry("Polygon", [])),
            zone(geometry=geometry("Polygon", HOLE_OUTSIDE)),
            zone(geometry=geometry("MultiPolygon", [[BOW]])),
            zone(geometry=geometry("Point", [])),
            zone(ring=[[0, 0], [10**999, 1], [1, 0], [0, 0]]),
            zone(ring=[[0], [1], [1], [0]]),
        ),
    ),
    zones(
        "duplicate_geo_json_key",
        ("features[2].id", "a"),
        ("features[4].id", "7"),
        of=text(zone("a"), zone("b"), zone("a"), zone(7), zone("7")),
    ),
    case(
        "duplicate_geography_id",
        ("location_groups", 2, "location_group_id", "B"),
        (ZONES, None, "id", "A"),
        (ZONES, None, "id", "h"),
        geojson=text(zone("A"), zone("h"), zone("z")),
        stops="stop_id / A / B",
        location_groups="location_group_id / B / h",
    ),
    # Overlapping zones with overlapping windows and one type of two the same.
    case(
        "overlapping_zone_and_pickup_drop_off_window",
        ("stop_times", 3, "location_id", "b overlaps a"),
        ("stop_times", 15, "location_id", "b overlaps a"),
        geojson=SHAPES,
        stop_times=(
            f"{CALLS} / t,1,a,08:00:00,10:00:00,2,1 / t,2,b,09:59:59,12:00:00,1,1"
            # Windows that touch; types that differ; zones that touch, lie within, are equal, none.
            " / u,1,a,08:00:00,10:00:00,2,2 / u,2,b,10:00:00,12:00:00,2,2"
            " / v,1,a,08:00:00,10:00:00,2,1 / v,2,b,08:00:00,10:00:00,1,2"
            " / w,1,a,08:00:00,10:00:00,2,2 / w,2,c,08:00:00,10:00:00,2,2"
            " / w,3,d,08:00:00,10:00:00,2,2 / w,4,e,08:00:00,10:00:00,2,2"
            " / w,5,f,08:00:00,10:00:00,2,2 / w,6,lost,08:00:00,10:00:00,2,2"
            # Trips apart, and both types blank.
            " / x,1,a,08:00:00,10:00:00,, / x,2,b,08:00:00,10:00:00,,"
            " / y,1,b,08:00:00,10:00:00,2,2 / y,2,a,,,2,2"
        ),
    ),
]


@pytest.mark.parametrize("tried", CASES, ids=str)
def test_rule(tried: Case) -> None:
    check(tried)


def test_every_rule_is_tried() -> None:
    assert rules_broken(CASES) == rules_in(geojson)


def test_zones_are_read_with_a_mark_and_in_other_encodings() -> None:
    told = text(zone("ә"))
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert zone_ids(told.encode(encoding)).to_list() == ["ә"]
    assert read_zones(told.encode("cp1251", errors="replace") + b"\xff").problem


def test_ids_and_points_of_zones() -> None:
    told = text(zone("a"), zone(7, square(76, 43)), zone("a"), zone(None), zone("b", BOW)).encode()
    assert zone_ids(told).to_list() == ["a", "7", "b"]
    assert zone_points(told).group_by("zone_id", maintain_order=True).len().rows() == [
        ("a", 5),
        ("7", 5),
    ]
    assert zone_points(told).row(2) == ("a", 44.0, 77.0)
    assert zone_ids(None).is_empty()
    assert zone_points(None).is_empty()


@pytest.mark.parametrize("payload", [b"[" * 200_000, b"\x00", b"9" * 10_000, b'{"features": 3}'])
def test_hostile_texts_are_told_not_raised(payload: bytes) -> None:
    toy = feed(geojson=payload, stops="stop_id / A")
    assert [f for code in rules_in(geojson) for f in _find(code, toy)]


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "id", "features", "geometry", "coordinates", "properties", "x"]
            ),
            inner | st.sampled_from(["Feature", "FeatureCollection", "Polygon", "MultiPolygon"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(st.lists(anything, max_size=3), anything)
def test_no_json_raises(features: list[object], root: object) -> None:
    for payload in (text(*features), json.dumps(root)):
        toy = feed(geojson=payload.encode(), stops="stop_id / A")
        for code in rules_in(geojson):
            for found in _find(code, toy):
                assert found.rows.width == 3


def _find(code: str, toy: Feed) -> list[Found]:
    return [found for found in RULES[code].find(toy) if found.rows.height]
