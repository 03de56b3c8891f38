"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a section with a table, or with a word where there are no rows."""
    listed = list(rows)
    lines = [
        f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"
        for row in [heads, ["---"] * len(heads), *listed]
    ]
    return f"## {title}\n\n" + ("\n".join(lines) if listed else "Nothing.") + "\n"


def number(value: float | None) -> str:
    """Return four significant digits, or nothing."""
    return "" if value is None else f"{value:.4g}"
