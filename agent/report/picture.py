"""The plots of a run, or of two, as one PNG, where no page can be put: latency over candidates, parts, roofline."""

from __future__ import annotations

import json
import re
from typing import Any

from agent.report import drawing, plots
from agent.report.account import ComparisonAccount, KernelAccount, RunAccount
from agent.report.environment import style_sheet
from agent.report.figures import latency, named, speedup
from agent.report.visible import shortened, visible
from sandbox.errors import MissingDependencyError, UsageError

_SCALE = 2.0
"""Pixels a point: sharp where screens are."""
_TITLE = 90


def png(account: RunAccount | ComparisonAccount) -> bytes:
    """Return the plots as a PNG.

    Raises:
        UsageError: There is nothing to draw: no latency is known yet.
        MissingDependencyError: Nothing here can draw.
    """
    return drawing.draw_png(_whole(account), _SCALE)


def svg(account: RunAccount | ComparisonAccount) -> str:
    """Return the plots as an SVG that stands alone; raises as `png` does."""
    return drawing.draw_plot(_whole(account))


def _whole(account: RunAccount | ComparisonAccount) -> plots.Spec:
    if not drawing.can_draw():
        raise MissingDependencyError(f"a picture is drawn by the extra `report`: {drawing.INSTALL}")
    columns = [[spec for spec in column if spec is not None] for column in _columns(account)]
    if not any(columns):
        raise UsageError(
            "there is nothing to draw: no latency is known; html, md and json tell what is known"
        )
    whole: plots.Spec = {
        "title": {"text": shortened(visible(_title(account)), _TITLE), "anchor": "start", "fontSize": 17},
        "spacing": 45,
        "resolve": {"scale": {"color": "independent"}},
        "hconcat": [{"vconcat": column, "spacing": 45} for column in columns if column],
    }
    return _in_colour(whole)


def _columns(account: RunAccount | ComparisonAccount) -> list[list[plots.Spec | None]]:
    match account:
        case RunAccount():
            kernels: dict[str, KernelAccount] = {one.name: one for one in account.kernels}
            roof = None if account.roofline is None else plots.roofline(account.roofline, legend=False)
            return [[plots.progress(account), roof], [plots.parts(kernels)]]
        case ComparisonAccount(first=first, second=second):
            both = {plots.FIRST: first.best, plots.SECOND: second.best}
            kernels = {name: best for name, best in both.items() if best is not None}
            return [[plots.both_progresses(first, second)], [plots.parts(kernels)]]


def _title(account: RunAccount | ComparisonAccount) -> str:
    match account:
        case RunAccount():
            return f"{account.task} on {account.device}: {_best(account.best)}"
        case ComparisonAccount(first=first, second=second):
            return f"{first.run} and {second.run}"


def _best(kernel: KernelAccount | None) -> str:
    if kernel is None or kernel.latency is None:
        return "no correct kernel yet"
    faster = "" if kernel.speedup is None else f", {speedup(kernel.speedup.value)} the baseline"
    where = f" ({named(kernel.place)})" if kernel.place else ""
    return f"{latency(kernel.latency.value, kernel.latency.provenance)}{faster}{where}"


def _in_colour(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification with the light page's colours for their names, which are CSS's."""
    light = style_sheet().partition("}")[0]
    colours = dict(re.findall(r"(--[a-z]+): (#[0-9a-f]{6})", light))
    text = json.dumps({**spec, "config": {**plots.CONFIG, "background": "var(--page)"}})
    return json.loads(re.sub(r"var\((--[a-z]+)\)", lambda found: colours[found[1]], text))
