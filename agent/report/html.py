"""An account as one HTML file: no network, no script, every text of a stranger escaped and made visible."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent.exploration import exploration_text
from agent.report import drawing, plots, tree
from agent.report.account import (
    Account,
    CheckAccount,
    ComparisonAccount,
    Figure,
    KernelAccount,
    RunAccount,
)
from agent.report.figures import amount, named, pairs
from agent.report.listing import difference, highlighting, listing
from agent.report.task_suite_account import TaskSuiteAccount
from agent.report.task_suite_figures import behind, outcome, two_digits
from agent.report.visible import LONGEST, shortened, visible

_OPENED = 64
"""Candidates of a run whose words are all shown; of a larger one they open on a click, and are shorter."""
_WORDS, _FEWER_WORDS = 800, 160
_NOTHING = Markup()
_FAULT, _HOT = "fault", "hot"


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
            return _run(account)
        case ComparisonAccount():
            return _comparison(account)
        case CheckAccount():
            return _check(account)
        case TaskSuiteAccount():
            return _page("task_suite.html", suite=account)


def _run(run: RunAccount) -> str:
    shown = tree.grown(run)
    kernels: dict[str, KernelAccount] = {one.name: one for one in run.kernels}
    few = len(run.candidates) <= _OPENED
    return _page(
        "run.html",
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
        off_scale=plots.off_scale(kernels),
        critiques=_by_round(run),
        opened=few,
        words=_WORDS if few else _FEWER_WORDS,
    )


def _comparison(pair: ComparisonAccount) -> str:
    both = {plots.FIRST: pair.first.best, plots.SECOND: pair.second.best}
    kernels = {name: best for name, best in both.items() if best is not None}
    return _page(
        "comparison.html",
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


def _check(check: CheckAccount) -> str:
    drawn = _Plots(drawing.can_draw(), parts=_plot(plots.parts({"kernel": check.kernel})))
    return _page("check.html", check=check, plots=drawn)


def _page(template: str, **values: Any) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(_style()),
            light=Markup(highlighting(dark=False)),
            dark=Markup(highlighting(dark=True)),
            longest=LONGEST,
            install=drawing.INSTALL,
            **{"words": _WORDS, "opened": True, "below": {}, "critiques": {}, **values},
        )
    )


@cache
def _style() -> str:
    return (files("agent.report") / "templates" / "style.css").read_text(encoding="utf-8")


def _by_round(run: RunAccount) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for one in run.critiques:
        found.setdefault(one.round, []).append(one.critique)
    return found


def _plot(spec: dict[str, Any] | None) -> Markup:
    return _NOTHING if spec is None or not drawing.can_draw() else Markup(drawing.draw_plot(spec))


def _tree(spec: dict[str, Any] | None) -> Markup:
    return _NOTHING if spec is None or not drawing.can_draw() else Markup(drawing.draw_tree(spec))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("agent.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    filters: Any = {
        "amount": _amount,
        "pairs": pairs,
        "short": shortened,
        "named": named,
        "explored": exploration_text,
        "listed": _listed,
        "difference": difference,
        "resources": _resources,
        "two": two_digits,
        "outcome": outcome,
        "behind": behind,
    }
    made.filters.update(filters)
    return made


def _visible(value: object) -> object:
    """Make every text that a template prints visible; what is markup already was made of visible text."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _amount(figure: Figure) -> str:
    return amount(figure.value, figure.unit)


def _listed(kernel: KernelAccount) -> Sequence[object]:
    """Return a kernel's lines with marks: a class, then what is said beside the line."""
    marks: dict[int, tuple[str, ...]] = {}
    for one in kernel.costly:
        said = f"{one.value:.4g} {one.what}, {one.share:.0%} of the launch's ({one.provenance})"
        marks[one.line] = (*marks.get(one.line, (_HOT,)), visible(said))
    for failure in kernel.failures:
        for number, _ in failure.lines:
            marks[number] = (_FAULT, *marks.get(number, (_HOT,))[1:], str(failure.verdict).replace("_", " "))
    return listing(kernel.text or "", marks)


def _resources(kernels: Iterable[KernelAccount]) -> list[str]:
    """Return the names of parts, in the order of the kernel that is shown last."""
    return list(dict.fromkeys(part.resource for kernel in reversed([*kernels]) for part in kernel.parts))
