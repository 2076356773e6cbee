"""The brief in a headless Chromium: languages, sizes, colours, accessibility, screenshots.

Screenshots lie in pytest's base folder (`--basetemp`), in `brief*/`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from pipelines.brief.page import render_brief
from pipelines.brief.words import LANGUAGES, phrases
from pipelines.errors import QalaError
from pipelines.printing import BROWSERS, print_pdf
from tests.brief.toy_material import large, material

CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
LOAD_SECONDS, MOST_BYTES = 2.0, 3_000_000
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; CI installs Debian's"),
]


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brief") / "index.html"
    path.write_text(render_brief(large()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small_brief(brief: Path) -> Path:
    """The same sections with a few rows each."""
    path = brief.with_name("small.html")
    path.write_text(render_brief(material()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM)
        yield running
        running.close()


@dataclass
class Tab:
    """A page, what it complained of, and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def screenshot(self, target: Path, *, whole: bool = False) -> None:
        self.page.screenshot(path=target, full_page=whole)


@contextmanager
def opened(browser: Browser, address: str, size: str, *, dark: bool = False) -> Iterator[Tab]:
    width, height = SIZES[size]
    phone = size == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        color_scheme="dark" if dark else "light",
    )
    tab = Tab(context.new_page())
    tab.page.on("request", lambda request: tab.requests.append(request.url))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.page.on(
        "console",
        lambda told: tab.complaints.append(told.text) if told.type in ("error", "warning") else 0,
    )
    tab.page.goto(address)
    yield tab
    context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_every_language_without_a_complaint(
    browser: Browser, brief: Path, language: str, size: str
) -> None:
    with opened(browser, f"{brief.as_uri()}#lang={language}", size) as tab:
        page = tab.page
        assert tab.complaints == []
        assert [address.partition("#")[0] for address in tab.requests] == [brief.as_uri()]
        assert page.evaluate("document.documentElement.lang") == language
        assert (
            page.locator("h2:visible").first.inner_text()
            == (phrases(language)["question.connected"])
        )
        assert phrases("en" if language == "kk" else "kk")["section.data"] not in (
            page.locator("body").inner_text()
        )
        # Nothing is wider than the screen: what is, scrolls by itself.
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        tab.screenshot(brief.with_name(f"{language}-{size}.png"))
        tab.screenshot(brief.with_name(f"{language}-{size}-whole.png"), whole=True)


def test_language_and_colours_are_switched_without_a_reload(browser: Browser, brief: Path) -> None:
    with opened(browser, f"{brief.as_uri()}#lang=en", "desktop") as tab:
        page = tab.page
        paper = "getComputedStyle(document.documentElement).backgroundColor"
        light = page.evaluate(paper)
        page.click("[data-theme-button=dark]")
        page.click("[data-language-button=ru]")
        assert page.evaluate("document.documentElement.lang") == "ru"
        assert page.title().startswith("Игрушкин")
        assert page.evaluate(paper) != light
        assert len(tab.requests) == 1
        assert page.get_attribute("[data-language-button=ru]", "aria-pressed") == "true"


def test_it_is_small_and_loads_at_once(browser: Browser, brief: Path) -> None:
    assert brief.stat().st_size < MOST_BYTES
    with opened(browser, f"{brief.as_uri()}#lang=en", "desktop") as tab:
        ended = tab.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert 0 < ended < LOAD_SECONDS * 1000


@pytest.mark.parametrize(("size", "dark"), [("desktop", False), ("phone", True)])
def test_nobody_is_left_out(browser: Browser, small_brief: Path, size: str, dark: bool) -> None:
    with opened(browser, f"{small_brief.as_uri()}#lang=kk", size, dark=dark) as tab:
        tab.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        found = Axe().run(tab.page, options={"runOnly": AXE_TAGS})
        assert found.violations_count == 0, found.generate_report()
        if dark:
            tab.screenshot(small_brief.with_name(f"dark-{size}-whole.png"), whole=True)


def test_it_prints_as_pdf_in_each_language(brief: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "brief.pdf"
    print_pdf(brief, "ru", target)
    assert target.read_bytes().startswith(b"%PDF-")


def test_without_a_browser_the_remedy_is_told(
    brief: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(QalaError, match="No Chromium") as told:
        print_pdf(brief, "ru", tmp_path / "brief.pdf")
    assert "apt-get install chromium" in told.value.remedy
