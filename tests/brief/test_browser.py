"""The brief in a headless Chromium: languages, sizes, colours, accessibility, screenshots.

Screenshots lie in pytest's base folder (`--basetemp`), in `brief*/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines.brief.page import render_brief
from pipelines.brief.words import LANGUAGES, phrases
from pipelines.errors import QalaError
from pipelines.printing import print_pdf
from tests.brief.chromium import Chromium, find_chromium, tab
from tests.brief.toy_material import large, material

CHROMIUM = find_chromium()
LOAD_SECONDS, MOST_BYTES = 2.0, 3_000_000
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"desktop": (1280, 900, False), "phone": (390, 844, True)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs Debian's"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brief") / "index.html"
    path.write_text(render_brief(large()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small_page(page: Path) -> Path:
    """The same sections with a few rows each."""
    path = page.with_name("small.html")
    path.write_text(render_brief(material()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    assert CHROMIUM is not None
    with Chromium(CHROMIUM) as running:
        yield running


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_every_language_without_a_complaint(
    browser: Chromium, page: Path, language: str, size: str
) -> None:
    width, height, phone = SIZES[size]
    with tab(browser, width=width, height=height, phone=phone) as shown:
        shown.open(f"{page.as_uri()}#lang={language}")
        assert shown.complaints() == []
        assert shown.requests() == [page.as_uri()]
        assert shown.run("document.documentElement.lang") == language
        assert (
            shown.run("document.querySelector('h2').innerText")
            == phrases(language)["question.connected"]
        )
        assert phrases("en" if language == "kk" else "kk")["section.data"] not in shown.run(
            "document.body.innerText"
        )
        # Nothing is wider than the screen: what is, scrolls by itself.
        assert shown.run("document.documentElement.scrollWidth") <= width
        shown.screenshot(page.with_name(f"{language}-{size}.png"))
        shown.screenshot(page.with_name(f"{language}-{size}-whole.png"), whole=True)


def test_language_and_colours_are_switched_without_a_reload(browser: Chromium, page: Path) -> None:
    with tab(browser, width=1280, height=900) as shown:
        shown.open(f"{page.as_uri()}#lang=en")
        paper = "getComputedStyle(document.documentElement).backgroundColor"
        light = shown.run(paper)
        shown.run("document.querySelector('[data-theme-button=dark]').click()")
        shown.run("document.querySelector('[data-language-button=ru]').click()")
        assert shown.run("document.documentElement.lang") == "ru"
        assert shown.run("document.title").startswith("Игрушкин")
        assert shown.run(paper) != light
        assert len(shown.requests()) == 1
        pressed = "document.querySelector('[data-language-button=ru]').ariaPressed"
        assert shown.run(pressed) == "true"


def test_it_is_small_and_loads_at_once(browser: Chromium, page: Path) -> None:
    assert page.stat().st_size < MOST_BYTES
    with tab(browser, width=1280, height=900) as shown:
        shown.open(f"{page.as_uri()}#lang=en")
        ended = shown.run("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert 0 < ended < LOAD_SECONDS * 1000


@pytest.mark.parametrize(("size", "dark"), [("desktop", False), ("phone", True)])
def test_nobody_is_left_out(browser: Chromium, small_page: Path, size: str, dark: bool) -> None:
    found = find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-playwright-python, which brings axe-core, is not installed")
    axe = Path(found.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")
    width, height, phone = SIZES[size]
    with tab(browser, width=width, height=height, phone=phone, dark=dark) as shown:
        shown.open(f"{small_page.as_uri()}#lang=kk")
        shown.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        shown.run(f"{axe};0")
        rules = json.dumps({"runOnly": AXE_TAGS})
        told = shown.run(
            f"axe.run(document, {rules}).then(found => found.violations.map("
            "rule => [rule.id, rule.help, rule.nodes.map(node => node.html.slice(0, 200))]))"
        )
        assert told == []
        if dark:
            shown.screenshot(small_page.with_name(f"dark-{size}-whole.png"), whole=True)


def test_it_prints_as_pdf_in_each_language(page: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "brief.pdf"
    print_pdf(page, "ru", target)
    assert target.read_bytes().startswith(b"%PDF-")


def test_without_a_browser_the_remedy_is_told(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QalaError, match="No Chromium") as told:
        print_pdf(page, "ru", tmp_path / "brief.pdf")
    assert "apt-get install chromium" in told.value.remedy
