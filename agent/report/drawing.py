"""From specifications to static SVG, by vl-convert (extra `report`); without it a report has tables alone."""

from __future__ import annotations

import importlib.util
from typing import Any

from agent.report.plots import CONFIG

INSTALL = "pip install 'warpwright[report]'"


def can_draw() -> bool:
    """Whether plots can be drawn here."""
    return importlib.util.find_spec("vl_convert") is not None


def draw_plot(spec: dict[str, Any]) -> str:
    """Return a Vega-Lite specification as SVG, configured as pages are unless it says how; nothing is fetched."""
    import vl_convert

    return vl_convert.vegalite_to_svg(spec, config=None if "config" in spec else CONFIG, allowed_base_urls=[])


def draw_tree(spec: dict[str, Any]) -> str:
    """Return a Vega specification as SVG; nothing is fetched for it."""
    import vl_convert

    return vl_convert.vega_to_svg(spec, allowed_base_urls=[])


def draw_png(spec: dict[str, Any], scale: float) -> bytes:
    """Return a Vega-Lite specification, its configuration included, as PNG; nothing is fetched for it."""
    import vl_convert

    return vl_convert.vegalite_to_png(spec, scale=scale, allowed_base_urls=[])
