"""Host code in a `.cu` file: found, and left out, so that a file that a compiler takes whole is a kernel file too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.kernel.source_text import masked

_HOST = re.compile(
    r"<<<|\bcuda[A-Z]\w*|\bcu(?:blas|fft|rand|sparse)[A-Z]\w*|\bstd\s*::\s*(?:cout|cerr|clog|vector|string|chrono|"
    r"ofstream|ifstream|mt19937|random_device|unique_ptr)\b|\b(?:argc|argv)\b"
)
"""What only host code uses; device code has none of it."""
_DEVICE = re.compile(r"\b__(?:global|device)__\b")
_ONLY_HOST = re.compile(r"\b__host__\b")
_NO_FUNCTION = re.compile(r"\b(?:struct|class|enum|union)\b[^()]*$|=\s*$")
_TRANSPARENT = re.compile(r"\bnamespace\b[^()]*$|\bextern\s*\"?\s*C?\s*\"?\s*$")
_NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
_OF_MACROS = re.compile(rf"{_HOST.pattern}|\b__FILE__\b|\b(?:exit|abort|fprintf)\s*\(")
_LAUNCH = re.compile(r"\b([A-Za-z_]\w*)\s*(?:<[^<>;{}]*>)?\s*<<<(.*?)>>>\s*\((.*?)\)\s*;", re.DOTALL)


@dataclass(frozen=True)
class HostPart:
    """A function or a macro of the host's: its name, and its first line."""

    name: str
    line: int


@dataclass(frozen=True)
class HostLaunch:
    """A launch that host code makes, as written: `kernel<<<configuration>>>(arguments)`."""

    kernel: str
    configuration: str
    arguments: str


def without_host_code(source: str) -> tuple[str, tuple[HostPart, ...]]:
    """Blank what is for the host: `main`, functions that launch or call the runtime, macros that check its errors.

    Every line keeps its number. A text without any comes back as it is.
    """
    if not _HOST.search(masked(source)) and "main" not in source:
        return source, ()
    code, parts, left = masked(source), list[HostPart](), source
    for name, start, end in (*_host_macros(code), *_host_functions(code)):
        parts.append(HostPart(name, source.count("\n", 0, start) + 1))
        left = left[:start] + re.sub(r"[^\n]", " ", left[start:end]) + left[end:]
    return left, tuple(sorted(parts, key=lambda part: part.line))


def host_launches(source: str) -> list[HostLaunch]:
    """Return the launches of the host's code, in file order."""
    code = masked(source)
    return [
        HostLaunch(found[1], " ".join(found[2].split()), " ".join(found[3].split()))
        for found in _LAUNCH.finditer(code)
    ]


def _host_macros(code: str) -> Iterator[tuple[str, int, int]]:
    for found in _MACRO.finditer(code):
        if _OF_MACROS.search(found[2]):
            yield found[1], found.start(), found.end()


def _host_functions(code: str) -> Iterator[tuple[str, int, int]]:
    """Name, first and last position of each function of the host at the top of the file, or of a namespace."""
    position = begin = 0
    while position < len(code):
        character = code[position]
        if character == "#" and not code[begin:position].strip():
            position = begin = _line_end(code, position)
        elif character in ";}":
            position += 1
            begin = position
        elif character == "{":
            head = code[begin:position]
            if _TRANSPARENT.search(head):
                position += 1
                begin = position
                continue
            end = _closed(code, position)
            name = _host_name(head, code[position:end])
            if name:
                yield name, begin + len(head) - len(head.lstrip()), end
            position = end
            begin = end if ")" in head and not _NO_FUNCTION.search(head) else begin
        else:
            position += 1


def _host_name(head: str, body: str) -> str:
    """The name of a function of the host; empty for anything else."""
    named = _NAME.search(head)
    if named is None or _NO_FUNCTION.search(head) or _DEVICE.search(head):
        return ""
    host = named[1] == "main" or _ONLY_HOST.search(head) or _HOST.search(head) or _HOST.search(body)
    return named[1] if host else ""


def _line_end(code: str, position: int) -> int:
    while (end := code.find("\n", position)) >= 0:
        if not code[:end].endswith("\\"):
            return end + 1
        position = end + 1
    return len(code)


def _closed(code: str, opened: int) -> int:
    """The position after the brace that closes the one there; the end where none does."""
    depth = 0
    for position in range(opened, len(code)):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth == 0:
            return position + 1
    return len(code)
