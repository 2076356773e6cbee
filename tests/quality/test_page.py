"""The page of checks shows failures first, escapes what it shows, and holds no wall clock."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from pipelines.night import Night, Window
from pipelines.quality.page import render_checks_page
from pipelines.quality.results import CheckResult, results_frame

NIGHT = Night(
    city_id="toy",
    city_name="Toy & Town",
    service_date=date(2026, 11, 20),
    day_type="weekday",
    time_zone="UTC",
    window=Window(7 * 3600, 9 * 3600),
    mark="synthetic",
)
PASSED = CheckResult(
    service_date=NIGHT.service_date,
    table_name="staging.stops",
    check_name="rows",
    severity="critical",
    is_passed=True,
    is_run=True,
    observed_value="12345",
    unexpected_count=None,
    element_count=None,
    sample_rows=None,
    not_run_reason=None,
    description="There are stops.",
)
FAILED = replace(
    PASSED,
    table_name="staging.trips",
    check_name="orphans",
    is_passed=False,
    unexpected_count=1234,
    sample_rows='[{"trip_id": "<script>alert(1)</script>"}]',
)
NOT_RUN = replace(
    FAILED, check_name="broken", is_run=False, not_run_reason="Catalog Error", sample_rows=None
)
WARNING = replace(FAILED, table_name="marts.reach", severity="warning", sample_rows=None)


def test_failures_come_first_and_counts_are_named() -> None:
    page = render_checks_page(results_frame([PASSED, WARNING, FAILED, NOT_RUN]), NIGHT)
    order = re.findall(r"<summary><code>([\w.]+)</code>", page)
    assert order == ["staging.trips", "marts.reach", "staging.stops"]
    assert page.index("<small>orphans") < page.index("<small>broken")
    assert "<b>4</b> checks" in page
    assert '<li class="not-run"><b>1</b> not run</li>' in page
    assert "1,234" in page
    assert "the last good night stays published" in page
    assert page.count("<details open>") == 2


def test_a_warning_does_not_block() -> None:
    page = render_checks_page(results_frame([PASSED, WARNING]), NIGHT)
    assert "All critical checks passed." in page


def test_a_critical_check_not_run_blocks() -> None:
    page = render_checks_page(results_frame([PASSED, NOT_RUN]), NIGHT)
    assert "the last good night stays published" in page


def test_what_is_shown_is_escaped_and_the_page_stands_alone() -> None:
    page = render_checks_page(results_frame([FAILED]), NIGHT)
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Toy &amp; Town" in page
    assert not re.search(r"(?:src|href)=|https?://", page)


def test_same_results_same_page() -> None:
    one = render_checks_page(results_frame([FAILED, PASSED, WARNING]), NIGHT)
    other = render_checks_page(results_frame([WARNING, FAILED, PASSED]), NIGHT)
    assert one == other


def test_a_night_without_checks_still_has_a_page() -> None:
    assert "<b>0</b> checks" in render_checks_page(results_frame([]), NIGHT)
