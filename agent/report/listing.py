"""Kernels on a page: highlighted line by line, with marks, and as a difference to another."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]

from agent.report.visible import LONGEST, visible

_LIGHT, _DARK = "xcode", "github-dark"
"""Of the styles that Pygments has, those with enough contrast on the backgrounds of `templates/style.css`."""
_PLAIN = re.compile(r'<span class="(?:w|p|n)">([^<]*)</span>')
"""Space, punctuation and names look like the text around them; their tags would be half of the page."""


@dataclass(frozen=True)
class ListedLine:
    """A line of a kernel as safe HTML; `marks` is what is said beside it."""

    number: int
    html: str
    marks: tuple[str, ...]


@dataclass(frozen=True)
class DiffLine:
    """A line of a difference; `kind` is `added`, `removed`, `where` or `same`."""

    kind: str
    text: str


def listing(text: str, marks: Mapping[int, tuple[str, ...]]) -> list[ListedLine]:
    """Return a kernel's lines, highlighted; of a very long one the beginning."""
    shown = visible(text)[:LONGEST].rstrip("\n")
    lexer = get_lexer_by_name("cuda", stripnl=False, ensurenl=False)
    html = str(highlight(shown, lexer, HtmlFormatter[str](nowrap=True))).removesuffix("\n")
    html = _PLAIN.sub(r"\1", html)
    return [
        ListedLine(number, line, marks.get(number, ())) for number, line in enumerate(html.split("\n"), 1)
    ]


def difference(before: str, after: str) -> list[DiffLine]:
    """Return what turned one kernel into another, with three lines around each change."""
    lines = difflib.unified_diff(
        visible(before)[:LONGEST].splitlines(), visible(after)[:LONGEST].splitlines(), lineterm="", n=3
    )
    kinds = {"+": "added", "-": "removed", "@": "where"}
    return [DiffLine(kinds.get(line[:1], "same"), line) for line in [*lines][2:]]


@cache
def highlighting(*, dark: bool) -> str:
    """Return the style sheet of highlighted kernels."""
    formatter: Any = HtmlFormatter[str](style=_DARK if dark else _LIGHT)
    rules = str(formatter.get_style_defs(".kernel")).splitlines()
    return "\n".join(rule for rule in rules if rule.startswith(".kernel .") and "background" not in rule)
