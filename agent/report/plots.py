"""The plots of a report as Vega-Lite specifications. Colours are the page's own CSS variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.report.account import KernelAccount, Roofline, RunAccount
from agent.report.visible import shortened, visible
from sandbox.verdict import Provenance, Verdict

Spec = dict[str, Any]

_WIDTH, _HEIGHT = 400, 240
_INK, _QUIET, _LINE = "var(--ink)", "var(--quiet)", "var(--line)"
_GOOD, _BAD = "var(--good)", "var(--bad)"
FIRST, SECOND = "first run", "second run"
_COLOURS: Mapping[str, str] = {
    "baseline": "var(--baseline)",
    "parent": "var(--parent)",
    "best": "var(--best)",
    "kernel": "var(--best)",
    FIRST: "var(--baseline)",
    SECOND: "var(--best)",
}
_MANY = 200
"""Candidates from which dots are small and faint, for the line to be seen."""
_OFF_SCALE = 8.0
"""A kernel so many times slower than the others is left to the tables: beside its bar nobody sees theirs."""
_SPARSE: Spec = {"tickCount": 5, "labelSeparation": 12, "labelOverlap": "greedy"}
_LOG_FROM = 8.0
"""Ratio of the slowest to the fastest latency from which the axis is logarithmic."""

CONFIG: Spec = {
    "background": None,
    "padding": {"left": 20, "right": 10, "top": 5, "bottom": 5},
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "aria": False,
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _LINE,
        "domainColor": _QUIET,
        "tickColor": _QUIET,
        "labelFontSize": 13,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "titlePadding": 14,
    },
    "legend": {"labelColor": _INK, "titleColor": _INK, "labelFontSize": 13, "orient": "top", "title": None},
    "text": {"color": _INK, "fontSize": 13},
}


def progress(account: RunAccount) -> Spec | None:
    """Return latency over candidates: the best so far as a line, each candidate a dot, failures crosses on top."""
    if all(one.latency is None for one in account.candidates):
        return None
    return _chart(*_progress_layers(account))


def both_progresses(first: RunAccount, second: RunAccount) -> Spec | None:
    """Return the best so far of two runs in one plot."""
    layers = [
        _best_line(one, _COLOURS[name], _axes(first, second), name)
        for one, name in ((first, FIRST), (second, SECOND))
        if any(candidate.best_so_far for candidate in one.candidates)
    ]
    if not layers:
        return None
    colours = {"domain": [FIRST, SECOND], "range": [_COLOURS[FIRST], _COLOURS[SECOND]]}
    for layer in layers:  # one legend for both
        layer["encoding"]["color"] = {"field": "run", "type": "nominal", "scale": colours, "title": None}
    return _chart(*layers)


def baseline_fits(account: RunAccount) -> bool:
    """Whether the baseline's latency can be drawn with the candidates'."""
    latencies = [one.latency.value for one in account.candidates if one.latency is not None]
    known = None if account.baseline is None else account.baseline.latency
    return known is not None and known.value <= _OFF_SCALE * max(latencies, default=0.0)


def off_scale(kernels: Mapping[str, KernelAccount]) -> list[str]:
    """Return which kernels are too slow for their parts to be drawn beside those of the fastest."""
    known = {name: one.latency.value for name, one in kernels.items() if one.latency is not None}
    return [name for name, us in known.items() if us > _OFF_SCALE * min(known.values())]


def parts(kernels: Mapping[str, KernelAccount]) -> Spec | None:
    """Return microseconds by part, side by side for the kernels that have a breakdown and are not off the scale."""
    left_out = off_scale(kernels)
    shown = [name for name, one in kernels.items() if one.parts and name not in left_out]
    rows = [
        {"part": part.resource.replace("_", " "), "us": part.time.value, "kernel": name}
        for name in shown
        for part in kernels[name].parts
    ]
    if not rows:
        return None
    order = list(dict.fromkeys(row["part"] for row in sorted(rows, key=lambda row: -float(str(row["us"])))))
    return {
        "data": {"values": rows},
        "width": _WIDTH,
        "height": {"step": 13},
        "mark": {"type": "bar"},
        "encoding": {
            "y": {
                "field": "part",
                "type": "nominal",
                "sort": order,
                "title": None,
                "scale": {"paddingInner": 0.25},
            },
            "yOffset": {"field": "kernel", "sort": shown},
            "x": {"field": "us", "type": "quantitative", "title": "us (estimated), as if alone"},
            "color": {
                "field": "kernel",
                "type": "nominal",
                "sort": shown,
                "scale": {"domain": shown, "range": [_COLOURS[name] for name in shown]},
            },
        },
    }


def latencies(microseconds: Mapping[str, float], provenance: Provenance) -> Spec:
    """Return a bar for each kernel by its label, in the order given."""
    return {
        "data": {
            "values": [
                {"kernel": shortened(visible(name), 40), "us": us} for name, us in microseconds.items()
            ]
        },
        "width": _WIDTH,
        "height": {"step": 22},
        "mark": {"type": "bar", "color": _COLOURS["best"]},
        "encoding": {
            "y": {"field": "kernel", "type": "nominal", "sort": None, "title": None},
            "x": {"field": "us", "type": "quantitative", "title": f"us ({provenance})"},
        },
    }


def roofline(found: Roofline, *, legend: bool = True) -> Spec:
    """Return the roofline, both axes logarithmic: operations a byte, and GFLOP a second."""
    ridge = found.flops_per_s / found.bytes_per_s
    intensities = [point.intensity for point in found.points]
    low, high = min(*intensities, ridge) / 4, max(*intensities, ridge) * 4
    roof = [{"x": x, "y": min(x * found.bytes_per_s, found.flops_per_s) / 1e9} for x in (low, ridge, high)]
    points = [{"x": point.intensity, "y": point.rate / 1e9, "kernel": point.name} for point in found.points]
    names = [point.name for point in found.points]
    scale: Spec = {"type": "log", "nice": False, "padding": 10}
    axis: Spec = {"type": "quantitative", "scale": scale}
    x = {
        **axis,
        "field": "x",
        "title": "operations a byte of DRAM traffic",
        "axis": {**_SPARSE, "format": "~r"},
    }
    provenance = ", ".join(sorted({str(point.provenance) for point in found.points}))
    slowest = min(point.rate for point in found.points) / 1e9
    bottom = min(slowest, min(one["y"] for one in roof)) / 2
    y = {
        **axis,
        "scale": {**scale, "domainMin": bottom},
        "field": "y",
        "title": f"GFLOP/s ({provenance})",
        "axis": {**_SPARSE, "format": ",~r"},
    }
    return _chart(
        {
            "data": {"values": roof},
            "mark": {"type": "line", "color": _QUIET, "strokeWidth": 2},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": points},
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": {
                    "field": "kernel",
                    "type": "nominal",
                    "scale": {"domain": names, "range": [_COLOURS[name] for name in names]},
                    **({} if legend else {"legend": None}),
                },
            },
        },
    )


def _chart(*layers: Spec) -> Spec:
    return {"width": _WIDTH, "height": _HEIGHT, "layer": [*layers]}


def _progress_layers(account: RunAccount) -> list[Spec]:
    dots = [
        {"n": n, "us": one.latency.value}
        for n, one in enumerate(account.candidates, 1)
        if one.latency is not None
    ]
    failed = [
        {"n": n}
        for n, one in enumerate(account.candidates, 1)
        if one.verdict is not None and one.verdict is not Verdict.PASS
    ]
    x, y = axes = _axes(account)
    size, opacity = (42, 0.75) if len(account.candidates) <= _MANY else (9, 0.4)
    return [
        *_baseline_rule(account, y),
        {
            "data": {"values": dots},
            "mark": {"type": "point", "filled": True, "size": size, "color": _INK, "opacity": opacity},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": {"values": failed},
            "mark": {
                "type": "point",
                "shape": "cross",
                "angle": 45,
                "size": 1.4 * size,
                "color": _BAD,
                "filled": True,
            },
            "encoding": {"x": x, "y": {"value": 6}},
        },
        _best_line(account, _GOOD, axes),
        *_chosen_dot(account, axes),
    ]


def _chosen_dot(account: RunAccount, axes: tuple[Spec, Spec]) -> list[Spec]:
    """Return the best kernel's own dot; of those that tie it need not be the lowest."""
    place = None if account.best is None else account.best.place
    values = [
        {"n": n, "us": one.latency.value}
        for n, one in enumerate(account.candidates, 1)
        if one.place == place and one.latency is not None
    ]
    mark = {"type": "point", "filled": True, "size": 90, "color": _COLOURS["best"], "opacity": 1}
    encoding = dict(zip(("x", "y"), axes, strict=True))
    return [{"data": {"values": values}, "mark": mark, "encoding": encoding}] if values else []


def _baseline_rule(account: RunAccount, y: Spec) -> list[Spec]:
    if account.baseline is None or account.baseline.latency is None or not baseline_fits(account):
        return []
    data = {"values": [{"us": account.baseline.latency.value}]}
    rule = {"type": "rule", "color": _QUIET, "strokeDash": [5, 4]}
    words = {"type": "text", "align": "left", "text": "baseline", "color": _QUIET, "x": _WIDTH + 4}
    return [
        {"data": data, "mark": rule, "encoding": {"y": y}},
        {"data": data, "mark": words, "encoding": {"y": y}},
    ]


def _best_line(account: RunAccount, colour: str, axes: tuple[Spec, Spec], name: str = "") -> Spec:
    values = [
        {"n": n, "us": one.best_so_far.value, "run": name}
        for n, one in enumerate(account.candidates, 1)
        if one.best_so_far is not None
    ]
    x, y = axes
    mark = {"type": "line", "interpolate": "step-after", "color": colour, "strokeWidth": 2.5}
    return {"data": {"values": values}, "mark": mark, "encoding": {"x": x, "y": y}}


def _axes(*accounts: RunAccount) -> tuple[Spec, Spec]:
    """Return the axes of candidates and of latencies, which hold all of these runs."""
    shown = [
        *(one for account in accounts for one in account.candidates),
        *(one.baseline for one in accounts if baseline_fits(one)),
    ]
    latencies = [one.latency.value for one in shown if one is not None and one.latency is not None]
    most = max(len(account.candidates) for account in accounts)
    provenances = ", ".join(dict.fromkeys(str(account.provenance) for account in accounts))
    logarithmic = bool(latencies) and max(latencies) > _LOG_FROM * min(latencies)
    x = {
        "field": "n",
        "type": "quantitative",
        "title": "candidate, in order",
        "scale": {"domain": [0.5, most + 0.5], "nice": False},
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
    }
    y = {
        "field": "us",
        "type": "quantitative",
        "title": f"us ({provenances})",
        "scale": {"type": "log", "nice": False, "padding": 14}
        if logarithmic
        else {"zero": False, "padding": 14},
        "axis": {"tickCount": 6, "format": ",~r"},
    }
    return x, y
