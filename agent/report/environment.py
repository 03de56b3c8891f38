"""How templates become pages, where every text is escaped and made visible, whoever wrote it, and other files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent.report.account import Figure, KernelAccount
from agent.report.figures import amount
from agent.report.filters import SHARED
from agent.report.listing import difference, highlighting, listing
from agent.report.visible import shortened, visible

_FAULT, _HOT = "fault", "hot"


@cache
def page_environment(*packages: str) -> Environment:
    """Return an environment with the templates of a report, and of further packages before them."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in (*packages, "agent.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    filters: Any = {
        **SHARED,
        "amount": _amount,
        "short": shortened,
        "listed": _listed,
        "difference": difference,
        "resources": _resources,
    }
    made.filters.update(filters)
    return made


def text_environment(package: str, filters: Mapping[str, Callable[..., object]]) -> Environment:
    """Return an environment for a package's text files that are no pages: nothing is escaped."""
    made = Environment(
        loader=PackageLoader(package),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(filters)
    return made


@cache
def style_sheet() -> str:
    """Return the style of every page, highlighted kernels included, in light and in dark."""
    style = (files("agent.report") / "templates" / "style.css").read_text(encoding="utf-8")
    light, dark = highlighting(dark=False), highlighting(dark=True)
    return f"{style}\n{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


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
