"""The page: sections put together, escaped, in three languages, complete in itself.

Style and script stand in the page, the script by its hash in the page's content policy, so that
nothing is fetched and nothing else runs. Nothing tells when it was made: the same night gives the
same bytes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.brief import charts, health, maps, tables, words
from pipelines.brief.cells import Number, plain
from pipelines.brief.figures import IN_SERVICE, Figure, diversion_rows, figures, first_event
from pipelines.brief.material import REACH, Material

ANSWERS = (("connected", "metro_reach"), ("cleaner", "diesel_share"), ("trucks", "diversion"))


def render_brief(material: Material) -> str:
    """The page as HTML."""
    style, script = (words.resource(f"templates/brief.{kind}") for kind in ("css", "js"))
    shown = figures(material)
    page = _environment().get_template("brief.html.j2")
    return page.render(
        night=material.night,
        city=material.city,
        code_version=material.code_version,
        style=Markup(style),  # noqa: S704  # a file of this package
        script=Markup(script),  # noqa: S704  # a file of this package
        policy=_policy(script),
        titles={language: _title(material, language) for language in words.LANGUAGES},
        figures=shown,
        answers=[(name, _answer(shown, figure)) for name, figure in ANSWERS],
        is_synthetic=any(figure.mark == "synthetic" for figure in shown),
        unknown=[figure for figure in shown if figure.why_none is not None],
        **_reach(material),
        **_buses(material),
        **_ring_road(material),
        commitments=tables.commitments(material.tonight("marts.commitments_status")),
        feeds=health.feeds(material),
        sensors=health.sensors(material),
        sensor_findings=health.sensor_findings(material),
        sources=health.sources(material),
        stale=[source for source in material.sources if source.is_stale],
        synthetic=[source for source in material.sources if source.mark == "synthetic"],
    )


def _answer(shown: list[Figure], name: str) -> Figure | None:
    return next((figure for figure in shown if figure.name == name), None)


def _reach(material: Material) -> dict[str, Any]:
    reach = {
        table: material.tonight(table).filter(scope_type="city").get_column("distance_m").max()
        for table in REACH
    }
    distances = {
        maps.METRO: float(reach["marts.metro_reach"] or 0),  # type: ignore[arg-type]  # a number column
        maps.BUS: float(reach["marts.bus_reach"] or 0),  # type: ignore[arg-type]  # a number column
    }
    cells = maps.cell_classes(material.tonight("marts.cell_access"), distances)
    return {
        "cell_map": maps.cell_map(material, cells),
        "district_map": maps.district_map(material, cells, _bus_shares(material)),
        "share_ends": [Number(end, "whole_share") for end in (0.0, *maps.SHARE_CLASSES)],
        "distances": {name: Number(metres, "count") for name, metres in distances.items()},
        "districts": tables.districts(material),
    }


def _bus_shares(material: Material) -> Mapping[str, float | None]:
    rows = material.tonight("marts.bus_reach").filter(scope_type="district")
    return dict(rows.select("scope_id", "reach_share").iter_rows())


def _buses(material: Material) -> dict[str, Any]:
    months = material.tonight("marts.diesel_burn_down").filter(status_scope=IN_SERVICE)
    months = months.sort("as_of_date")
    forecasts = material.tonight("marts.diesel_forecast").filter(status_scope=IN_SERVICE)
    targets = tables.numbered_targets(material.tonight("marts.commitment_targets"))
    in_vehicles = [row for row in targets if row["unit"] != "share"]
    in_shares = [row for row in targets if row["unit"] == "share"]
    return {
        "burn_down_chart": charts.burn_down(months, forecasts, in_vehicles),
        "clean_chart": charts.clean_share(months, in_shares),
        "burn_down": tables.burn_down(months),
        "forecasts": tables.forecasts(forecasts),
        "targets": tables.targets(targets),
    }


def _ring_road(material: Material) -> dict[str, Any]:
    months, groups = diversion_rows(material), first_event(material).sort("vehicle_class")
    effects = material.tonight("marts.ring_road_effect")
    levels = material.tonight("marts.ring_road_levels")
    rows = levels.sort("place_name", "period_from_date", "level_id", nulls_last=True).to_dicts()
    places = (pl.col("place_kind") == "station") & (pl.col("vehicle_class") == "heavy")
    return {
        "diversion_chart": charts.diversion(months),
        "diversion": tables.diversion(months),
        "effect_chart": charts.effect(groups),
        "placebo_chart": charts.placebo(groups),
        "effect": tables.effect(effects.filter(place_kind="role group"), place=False),
        "effect_places": tables.effect(effects.filter(places), place=True),
        "levels_chart": charts.levels(rows),
        "levels": tables.levels(rows),
    }


def _title(material: Material, language: str) -> str:
    title = words.phrases(language)["page.title"]
    city = plain(getattr(material.city, language))
    return title.format(city=city, day=material.night.service_date)


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.brief"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        say=words.say, show=words.show, label=words.label, Number=Number, slug=words.slug
    )
    return environment
