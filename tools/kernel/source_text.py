"""Reads CUDA C++ text just well enough to find includes, identifiers and signatures."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

_PIECE = re.compile(
    r"""(?P<line_comment>//[^\n]*)"""
    r"""|(?P<block_comment>/\*.*?(?:\*/|\Z))"""
    r"""|(?P<raw>\b(?:u8|[uUL])?R"(?P<mark>[^\s()\\"]{0,16})\(.*?(?:\)(?P=mark)"|\Z))"""
    r"""|(?P<text>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)""",
    re.DOTALL,
)
_SPLICE = re.compile(r"\\[ \t]*\n")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASTE = re.compile(r"##|%:%:")
_NO_CODE = re.compile(r"#\s*(?:include|pragma|line)\b")
_DIGIT_SEPARATOR = re.compile(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])")


@dataclass(frozen=True)
class CodeLine:
    """One logical line without comments; `number` is its first physical line, from 1."""

    number: int
    text: str


def without_comments(source: str) -> str:
    """Return the code with each comment blanked; line breaks stay, so line numbers stay right."""
    return _PIECE.sub(_blank_comment, _DIGIT_SEPARATOR.sub("_", source))


def _blank_comment(match: re.Match[str]) -> str:
    piece = match.group()
    if match.lastgroup in ("line_comment", "block_comment"):
        return " " + "\n" * piece.count("\n")
    return piece


def masked(source: str) -> str:
    """Return the text with a space for each character of a comment or a literal; every position stays what it is."""
    return _PIECE.sub(lambda piece: re.sub(r"[^\n]", " ", piece.group()), _DIGIT_SEPARATOR.sub("_", source))


def code_lines(source: str, *, texts: bool = True) -> Iterator[CodeLine]:
    r"""Yield logical lines: lines that end in `\` are joined first, as the compiler does.

    Args:
        source: The whole text.
        texts: Whether to keep string and character literals; else a space stands for each.
    """
    mark = "\x01"  # stands for a spliced line break while comments are removed; never in accepted source
    spliced = _SPLICE.sub(mark, source)
    stripped = _PIECE.sub(_keep_splices if texts else _only_breaks, _DIGIT_SEPARATOR.sub("_", spliced))
    number = 1
    for line in stripped.split("\n"):
        yield CodeLine(number, line.replace(mark, ""))
        number += 1 + line.count(mark)


def _keep_splices(match: re.Match[str]) -> str:
    return _only_breaks(match) if match.lastgroup in ("line_comment", "block_comment") else match.group()


def _only_breaks(match: re.Match[str]) -> str:
    return " " + "".join(character for character in match.group() if character in "\n\x01")


def words(source: str) -> Iterator[tuple[int, str]]:
    """Yield identifiers outside comments and literals, each with the line where its logical line begins."""
    for line in code_lines(source, texts=False):
        for name in _IDENTIFIER.findall(line.text):
            yield line.number, name


def spelled_by_pasting(source: str, names: Collection[str]) -> str | None:
    """Return the first of some names that the preprocessor's `##` could make of the identifiers in a text."""
    if not any(_PASTE.search(line.text) for line in code_lines(source, texts=False)):
        return None
    pieces = {name for _, name in words(source)}
    return next((name for name in names if _is_made_of(name, pieces)), None)


def _is_made_of(name: str, pieces: set[str]) -> bool:
    ends = {0}
    for end in range(1, len(name) + 1):
        if any(name[start:end] in pieces for start in ends):
            ends.add(end)
    return len(name) in ends


@lru_cache(maxsize=64)
def identifiers(source: str) -> frozenset[str]:
    """Return every identifier outside comments."""
    return frozenset(name for line in code_lines(source) for name in _IDENTIFIER.findall(line.text))


@lru_cache(maxsize=64)
def first_code_line(source: str) -> int:
    """Return the first line with more than comments, includes, pragmas, `#line`; 1 where it begins in a comment."""
    lines = source.split("\n")
    for line in code_lines(source):
        text = line.text.strip()
        if text and not _NO_CODE.match(text):
            return line.number if lines[line.number - 1].lstrip().startswith(text[:1]) else 1
    return 1
