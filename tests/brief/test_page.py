from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import polars as pl
import pytest

from pipelines.brief.change import Change
from pipelines.brief.figures import figures
from pipelines.brief.material import TABLES, Material
from pipelines.brief.page import render_brief
from tests.brief.read_back import Page
from tests.brief.toy_material import bare, districts, frame, material, reach

HOSTILE = (
    "</title><script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil")\u202e\u2066[[class.heavy]] {0} {x}',
    "[[no.such_phrase]]" + "W" * 5_000,
)


@pytest.fixture(scope="module")
def html() -> str:
    return render_brief(material())


def test_every_number_is_the_mart_s(html: str) -> None:
    frames = material().frames
    numbers = Page(html).numbers()
    for table, column, key, value in numbers:
        rows = frames[table].filter(
            *(pl.col(name).cast(pl.String) == text for name, text in key.items() if text != "None")
        )
        assert rows.height == 1, (table, key)
        expected = rows.item(0, column)
        shift = 1 if column.endswith("ratio") or "ratio_" in column else 0
        assert value == pytest.approx(expected - shift), (table, column)
    found = {table for table, *_ in numbers}
    assert {"marts.metro_reach", "marts.diesel_burn_down", "marts.ring_road_effect"} <= found
    assert {"marts.commitments_status", "marts.diesel_forecast", "marts.feed_health"} <= found


def test_the_same_night_gives_the_same_bytes(html: str) -> None:
    assert render_brief(material()) == html


def test_the_first_screen_answers_three_questions(html: str) -> None:
    shown = {figure.name: figure for figure in figures(material())}
    assert shown["metro_reach"].verdict == "better"
    assert shown["diesel_share"].verdict == "better"
    assert shown["diversion"].verdict == "better"
    answers = html[html.index('<ul class="answers">') : html.index("<nav ")]
    assert answers.count('<li class="better"') == 3
    for text in ("12.5", "+2.5", "40.0", "60.0"):
        assert text in answers


def test_changes_are_later_less_earlier() -> None:
    shown = {figure.name: figure for figure in figures(material())}
    assert shown["bus_reach"].year_ago is not None
    assert shown["bus_reach"].year_ago.change == Change(0.0)
    ago = shown["diesel_share"].year_ago
    # 13 steps of 30 days back: the first month end at least a year before the night.
    assert ago is not None
    assert ago.change.value == pytest.approx(0.40 - 0.53)


def test_a_city_without_figures_has_a_page_that_says_so() -> None:
    page = Page(render_brief(bare()))
    assert page.numbers() == []
    assert "Сравнения пока нет" in page.texts
    assert "The city does not make this figure." in page.texts


def test_without_a_year_ago_the_reason_is_told() -> None:
    whole = material()
    months = whole.frames["marts.ring_road_diversion"].filter(
        pl.col("month_date").dt.year() == 2026
    )
    alone = replace(
        whole, compared=None, frames={**whole.frames, "marts.ring_road_diversion": months}
    )
    verdicts = {figure.name: figure.verdict for figure in figures(alone)}
    assert verdicts["metro_reach"] == verdicts["diversion"] == "no_comparison"
    texts = Page(render_brief(alone)).texts
    assert "there is no day of the same kind a year before" in texts
    assert "there is no figure of the same month a year ago" in texts


def hostile(name: str) -> Material:
    whole = material()
    frames = {
        table: rows.with_columns(
            pl.when(pl.col(column).is_not_null()).then(pl.lit(name)).alias(column)
            for column, kind in rows.schema.items()
            if kind == pl.String and column in FREE
        )
        for table, rows in whole.frames.items()
    }
    return replace(
        whole,
        frames=frames,
        city=replace(whole.city, kk=name, ru=name, en=name),
        night=replace(whole.night, city_name=name),
        stations=whole.stations.with_columns(stop_name=pl.lit(name)),
        districts=districts().with_columns(pl.lit(name).alias("name_kk")),
        sources=[replace(source, source_id=name) for source in whole.sources],
    )


FREE = (
    *("scope_name", "place_name", "what", "road_name", "event_name", "statement", "sentence"),
    *("source_name", "indicator", "warning", "findings", "reason", "station_id", "place_id"),
    *("source_address", "operator_name"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_only_names(html: str, name: str) -> None:
    page, plain = Page(render_brief(hostile(name))), Page(html)
    for tag in ("script", "img", "iframe", "style", "link", "meta", "base", "form"):
        assert len(page.with_tag(tag)) == len(plain.with_tag(tag)), tag
    assert not any(
        attribute.startswith("on") for _, attributes in page.tags for attribute in attributes
    )
    assert all(
        link["href"].startswith(("#", "https://example.org/")) for link in page.with_tag("a")
    )
    assert not set("\u202e\u2066") & set(page.html)


def test_nothing_is_fetched_and_the_policy_knows_the_script(html: str) -> None:
    page = Page(html)
    policy = next(m["content"] for m in page.with_tag("meta") if "http-equiv" in m)
    script = html[html.index("<script>") + 8 : html.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert all("src" not in attributes for _, attributes in page.tags)
    assert [link["href"] for link in page.with_tag("link")] == ["data:,"]


def test_every_picture_has_a_name_a_text_and_a_table(html: str) -> None:
    page = Page(html)
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    pictures = [svg for svg in page.with_tag("svg") if svg.get("role") == "img"]
    assert len(pictures) == 8
    for svg in pictures:
        assert {svg["aria-labelledby"], svg["aria-describedby"]} <= ids
    assert {"table_districts", "table_burn_down", "table_targets", "table_diversion"} <= ids
    assert {"table_effect", "table_effect_places", "table_levels"} <= ids


def test_a_toy_reach_reads_as_a_person_wrote_it() -> None:
    rows = reach("marts.metro_reach", 0.125, 0.1)
    assert rows.columns == frame("marts.metro_reach").columns
    assert set(TABLES) >= set(material().frames)
