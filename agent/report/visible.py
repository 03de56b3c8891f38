"""Text of strangers, made harmless to read: what steers a terminal, a page or a reader's eye becomes visible."""

from __future__ import annotations

LONGEST = 30_000
"""Characters of a kernel file that a page shows."""


def visible(text: str) -> str:
    """Return text in which control characters, those of writing direction and lone surrogates are named."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else f"\u27e8U+{ord(char):04X}\u27e9"
        for char in _lines(text)
    )


def shortened(text: str, limit: int) -> str:
    """Return the beginning of a text, with a mark where something is left out."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
