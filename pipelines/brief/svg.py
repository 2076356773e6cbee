"""Vega-Lite charts as SVG texts, byte for byte the same on any machine.

No size depends on how wide a font is: frames and paddings are given, there are no legends or titles
inside. Colours are the page's CSS variables. A label ``[[class.heavy]]`` becomes that phrase in
three languages. Nothing is fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert as vlc
from markupsafe import Markup

from pipelines.brief.words import LANGUAGES, has_phrase, phrases

WIDTH = 460
_LABEL = re.compile(r"\[\[([a-z_.0-9]+)\]\]")
_AXIS: dict[str, Any] = {
    "domainColor": "var(--line-strong)",
    "tickColor": "var(--line-strong)",
    "gridColor": "var(--line)",
    "labelColor": "var(--soft)",
    "labelFont": "inherit",
    "labelFontSize": 13,
    "labelLimit": 0,
    "labelFlush": False,
    "labelOverlap": False,
    "title": None,
}


def draw(
    layers: Sequence[alt.Chart],
    *,
    name: str,
    height: int,
    left: int,
    right: int = 26,
    bottom: int = 28,
) -> Markup:
    """The SVG of layers; the page's elements ``<name>-title`` and ``<name>-text`` tell what it is.

    `height` is that of the plot, `left`, `right` and `bottom` are the paddings, all in pixels.
    """
    top = 26
    chart: Any = alt.layer(*layers)  # its type depends on what the layers are
    spec = chart.properties(
        width=WIDTH - left - right,
        height=height,
        autosize=alt.AutoSizeParams(type="none"),
        padding={"left": left, "right": right, "top": top, "bottom": bottom},
        background="transparent",
    ).configure(axis=_AXIS, view={"stroke": None})
    text = vlc.vegalite_to_svg(json.loads(spec.to_json()), allowed_base_urls=[])
    inside = text[text.index(">") + 1 : text.rindex("</svg>")]
    inside = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", inside)
    size = f"0 0 {WIDTH} {height + top + bottom}"
    return Markup(
        '<svg class="chart" viewBox="{}" role="img" aria-labelledby="{}-title"'
        ' aria-describedby="{}-text">{}</svg>'
    ).format(size, name, name, Markup(_LABEL.sub(_three_languages, inside)))  # noqa: S704  # Vega escapes


def label(key: str) -> str:
    """A chart's label that becomes a phrase in three languages."""
    return f"[[{key}]]"


def _three_languages(found: re.Match[str]) -> str:
    if not has_phrase(found[1]):
        return found[0]
    return Markup("").join(
        Markup('<tspan class="t" lang="{}">{}</tspan>').format(
            language, phrases(language)[found[1]]
        )
        for language in LANGUAGES
    )
