"""An account as one HTML file: no network, no script, every text of a stranger escaped and made visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from agent.report import drawing, plots, tree
from agent.report.account import (
    Account,
    CheckAccount,
    ChecksAccount,
    ComparisonAccount,
    KernelAccount,
    RunAccount,
)
from agent.report.environment import page_environment, style_sheet
from agent.report.task_suite_account import TaskSuiteAccount
from agent.report.visible import LONGEST

SECTIONS = ("about", "progress", "tree", "time", "best", "judgement", "candidates", "credit", "budget")
"""The sections of a run's page, in order: macros of `run_sections.html`."""
_OPENED = 64
"""Candidates of a run whose words are all shown; of a larger one they open on a click, and are shorter."""
_WORDS, _FEWER_WORDS = 800, 160
_NOTHING = Markup()


@dataclass(frozen=True)
class _Plots:
    """Drawn plots as safe SVG; empty where there is nothing to draw, or nothing to draw with."""

    drawn: bool
    progress: Markup = _NOTHING
    tree: Markup = _NOTHING
    parts: Markup = _NOTHING
    roofline: Markup = _NOTHING


def html(account: Account | TaskSuiteAccount) -> str:
    """Return an account as a page."""
    match account:
        case RunAccount():
            return _page("run.html", run=account, sections=run_sections(account))
        case ComparisonAccount():
            return _page("comparison.html", pair=account, body=comparison_body(account))
        case CheckAccount():
            return _page("check.html", check=account, drawn=_parts_of(account))
        case ChecksAccount():
            right = sum(one.ok for one in account.kernels)
            drawn = [_parts_of(one.check) for one in account.kernels if one.check is not None]
            return _page("checks.html", checks=account, right=right, drawn=drawn)
        case TaskSuiteAccount():
            return _page("task_suite.html", suite=account)


def run_sections(run: RunAccount) -> Mapping[str, Markup]:
    """Return the sections of a run's page by name, in order; one with nothing to say yet is empty."""
    shown = tree.grown(run)
    kernels: dict[str, KernelAccount] = {one.name: one for one in run.kernels}
    few = len(run.candidates) <= _OPENED
    values = _values(
        run=run,
        plots=_Plots(
            drawing.can_draw(),
            progress=_plot(plots.progress(run)),
            tree=_tree(tree.tree(run)),
            parts=_plot(plots.parts(kernels)),
            roofline=_plot(None if run.roofline is None else plots.roofline(run.roofline)),
        ),
        below=tree.children(shown),
        left_out=len(run.candidates) - len(shown),
        baseline_fits=plots.baseline_fits(run),
        leaner=_leaner(run),
        off_scale=plots.off_scale(kernels),
        critiques=_by_round(run),
        opened=few,
        words=_WORDS if few else _FEWER_WORDS,
    )
    made = page_environment().get_template("run_sections.html").make_module(values)
    return {name: Markup(getattr(made, name)().strip()) for name in SECTIONS}


def comparison_body(pair: ComparisonAccount) -> Markup:
    """Return two runs side by side, without the page around them."""
    both = {plots.FIRST: pair.first.best, plots.SECOND: pair.second.best}
    kernels = {name: best for name, best in both.items() if best is not None}
    values = _values(
        pair=pair,
        kernels=[*kernels.values()],
        names=[*kernels],
        off_scale=plots.off_scale(kernels),
        plots=_Plots(
            drawing.can_draw(),
            progress=_plot(plots.both_progresses(pair.first, pair.second)),
            parts=_plot(plots.parts(kernels)),
        ),
    )
    return Markup(page_environment().get_template("comparison_body.html").render(values))


def _parts_of(check: CheckAccount) -> Markup:
    return _plot(plots.parts({"kernel": check.kernel}))


def _page(template: str, **values: Any) -> str:
    style = Markup(style_sheet())
    return page_environment().get_template(template).render(_values(style=style, **values))


def _values(**values: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"words": _WORDS, "opened": True, "below": {}, "critiques": {}}
    return {**known, "longest": LONGEST, "install": drawing.INSTALL, **values}


def _leaner(run: RunAccount) -> bool:
    """Whether a candidate was faster than the best kernel, by less than tells them apart."""
    best, fastest = run.best, run.candidates[-1].best_so_far if run.candidates else None
    if best is None or best.latency is None or fastest is None:
        return False
    return fastest.value < best.latency.value


def _by_round(run: RunAccount) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in run.critiques:
        found.setdefault(one.round, []).append(one.critique)
    return found


def _plot(spec: dict[str, Any] | None) -> Markup:
    return _NOTHING if spec is None or not drawing.can_draw() else Markup(drawing.draw_plot(spec))


def _tree(spec: dict[str, Any] | None) -> Markup:
    return _NOTHING if spec is None or not drawing.can_draw() else Markup(drawing.draw_tree(spec))
