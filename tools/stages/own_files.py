"""What reports say of lines, by the file in which its author finds them (`tools.kernel.sections`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from sandbox.device import Hotspot
from tools.kernel.sections import Section, place_of, sections_of
from tools.reports import AnyReport, SourceLine, Suspicion

R = TypeVar("R", bound=AnyReport)
_LINE = re.compile(r"\bline (\d{1,7})\b")
_SENTENCES = frozenset({"message", "said", "note"})
"""Fields that devices and judges write in words."""


def by_own_files(report: R, kernel: str) -> R:
    """Return a report in whose words a line of an included file is one of that file.

    Numbers of lines that stand alone stay those of the whole text, in which pages mark them; texts of lines say where
    they are from.

    Args:
        report: Whatever was found of the kernel.
        kernel: Its whole text.
    """
    sections = sections_of(kernel)
    return _told(report, sections) if sections else report


def _told(value: Any, sections: Sequence[Section]) -> Any:
    match value:
        case SourceLine(number=line, text=text) | Hotspot(line=int(line), text=text):
            return replace(value, text=_placed(line, text, sections))
        case Suspicion(line=int(line), why=why):
            return replace(value, why=_placed(line, why, sections))
        case tuple():
            return tuple(_told(one, sections) for one in cast("tuple[Any, ...]", value))
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **_changed(value, sections))
        case _:
            return value


def _changed(value: Any, sections: Sequence[Section]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for one in fields(value):
        before = getattr(value, one.name)
        if isinstance(before, str):
            after: Any = _worded(before, sections) if one.name in _SENTENCES else before
        else:
            after = _told(before, sections)
        if after is not before:
            changed[one.name] = after
    return changed


def _placed(line: int, text: str, sections: Sequence[Section]) -> str:
    place = place_of(sections, line)
    return f"{place.file}:{place.line}: {text}" if place.file else text


def _worded(text: str, sections: Sequence[Section]) -> str:
    def named(found: re.Match[str]) -> str:
        place = place_of(sections, int(found[1]))
        return f"line {place.line} of {place.file}" if place.file else found[0]

    return _LINE.sub(named, text)
