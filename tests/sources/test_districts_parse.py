"""District boundaries as GeoJSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.errors import SourceError
from pipelines.night import SourceVersion
from pipelines.sources.districts.parse import parse_districts

SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}


def boundaries(**columns: str) -> SourceVersion:
    return SourceVersion("districts", "v1", "districts.geojson", "geojson", columns=columns)


def collection(*properties: dict[str, Any] | None, **members: Any) -> bytes:
    features = [{"type": "Feature", "properties": p, "geometry": SQUARE} for p in properties]
    return json.dumps({"type": "FeatureCollection", "features": features, **members}).encode()


def test_properties_are_mapped_and_become_text() -> None:
    payload = collection(
        {"name_en": " Medeu ", "people": 242100.0, "is_city": True, "tags": {"a": 1}},
        {"name_en": "Almaly", "people": None, "rank": 2.5},
    )
    columns = {"name_en": "district_name", "people": "official_population"}
    districts = parse_districts(payload, boundaries(**columns))["districts"]
    medeu, almaly = districts.iter_rows(named=True)
    assert medeu == {
        "district_id": "medeu",
        "district_name": "Medeu",
        "official_population": "242100",
        "is_city": "true",
        "tags": '{"a": 1}',
        "rank": None,
        "geometry": json.dumps(SQUARE),
    }
    assert (almaly["official_population"], almaly["rank"]) == (None, "2.5")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nauryzbay", "nauryzbay"),
        ("Медеу ауданы", "медеу-ауданы"),
        ("São João / 2º", "são-joão-2º"),
        ("  St. Ann's (North) ", "st-ann-s-north"),
    ],
)
def test_a_district_without_an_id_is_named_by_its_slug(name: str, expected: str) -> None:
    districts = parse_districts(collection({"district_name": name}), boundaries())["districts"]
    assert districts.get_column("district_id").to_list() == [expected]


def test_an_id_that_is_there_is_kept() -> None:
    payload = collection({"district_name": "Medeu", "id": 17})
    districts = parse_districts(payload, boundaries(id="district_id"))["districts"]
    assert districts.get_column("district_id").to_list() == ["17"]


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:x::EPSG::4326"])
def test_wgs_84_may_be_named(crs: str) -> None:
    member = {"type": "name", "properties": {"name": crs}}
    payload = b"\xef\xbb\xbf" + collection({"district_name": "A"}, crs=member)
    assert parse_districts(payload, boundaries())["districts"].height == 1


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "no readable JSON"),
        (collection({"district_name": "A"})[:-5], "no readable JSON"),
        (b"\xff\xfe{}", "no readable JSON"),
        (b"[]", "no GeoJSON FeatureCollection"),
        (json.dumps(SQUARE).encode(), "no GeoJSON FeatureCollection"),
        (b'{"features": [1]}', "no GeoJSON FeatureCollection"),
        (collection(), "has no features"),
        (collection(None), "lacks the column 'district_name'"),
        (collection({"name": "A"}), "lacks the column 'district_name'; it has 'name'"),
        (collection({"district_name": "A"}, crs="EPSG:32643"), "coordinate system .*32643"),
    ],
)
def test_what_is_no_set_of_districts_says_why(payload: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_districts(payload, boundaries())


def test_a_renamed_property_is_named_with_the_nearest() -> None:
    with pytest.raises(
        SourceError, match="lacks the heading 'name_en'; the nearest are 'name_eng'"
    ):
        parse_districts(collection({"name_eng": "A"}), boundaries(name_en="district_name"))
