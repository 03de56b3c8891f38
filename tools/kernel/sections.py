"""A kernel file in several files, in one text: the file itself, then each that it includes behind `//@ file NAME`.

Lines of the text are counted through, and the compiler is told so: those of the file itself are what they are in the
person's own file, and those of the others follow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

OWN_INCLUDE = re.compile(
    r'^[ \t]*#[ \t]*include[ \t]*"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.(?:cuh|h|hpp|inl))"[ \t]*\r?$',
    re.MULTILINE,
)
"""An include that may be of a file of one's own."""
MARK = "//@ file "
_BEGIN = re.compile(rf"^{MARK}(\S+)[ \t]*\r?$")
_ONCE = re.compile(r"^([ \t]*#[ \t]*pragma[ \t]+)once\b", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A file that another includes.

    Attributes:
        name: As includes name it.
        line: The line of its mark in the whole text; its own first line follows.
        lines: Its text.
    """

    name: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class OwnLine:
    """A line of a person's own file; `file` is empty for the kernel file itself."""

    file: str
    line: int


def sections_of(source: str) -> tuple[Section, ...]:
    """Return the files behind a kernel file in a text, in order; of two of one name the first."""
    if MARK not in source:
        return ()
    lines = source.split("\n")
    marks = [(number, found[1]) for number, line in enumerate(lines) if (found := _BEGIN.match(line))]
    ends = [number for number, _ in marks[1:]] + [len(lines)]
    behind: dict[str, Section] = {}
    for (number, name), end in zip(marks, ends, strict=True):
        behind.setdefault(name, Section(name, number + 1, tuple(lines[number + 1 : end])))
    return tuple(behind.values())


def place_of(sections: Sequence[Section], line: int) -> OwnLine:
    """Return where a line of the whole text stands in the person's own files."""
    for section in reversed(sections):
        if line > section.line:
            return OwnLine(section.name, line - section.line)
    return OwnLine("", line)


def assembled(source: str, file: str) -> str:
    """Return a text as the compiler takes it: each file where it is first included; lines keep their numbers."""
    sections = sections_of(source)
    if not sections:
        return source
    known = {section.name: section for section in sections}
    taken: set[str] = set()

    def expanded(lines: Sequence[str], before: int) -> list[str]:
        found: list[str] = []
        for number, line in enumerate(lines, start=before + 1):
            include = OWN_INCLUDE.match(line)
            section = known.get(include[1]) if include else None
            if section is None:
                found.append(_ONCE.sub(r"\1", line))
                continue
            if section.name in taken:
                found.append("")
                continue
            taken.add(section.name)
            found += [_line(section.line + 1, file), *expanded(section.lines, section.line)]
            found.append(_line(number + 1, file))
        return found

    main = source.split("\n")[: sections[0].line - 1]
    return "\n".join([*expanded(main, 0), _line(source.count("\n") + 2, file), ""])


def _line(number: int, file: str) -> str:
    return f'#line {number} "{file}"'
