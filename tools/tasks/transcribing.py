# pycparser says no types of its nodes:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""What a plain kernel computes, in NumPy: a reference drafted from its own code, which its author then reads.

Every thread is a lane of an array. Read is C of one function: numbers, loops, conditions, elements of arguments.
Threads that work together (shared memory, barriers, atomics), templates and functions of one's own are not; nor is
rounding: a reference is exact. What was read wrongly shows as soon as the kernel is judged by it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycparser import CParser, c_ast
from pycparser.c_parser import ParseError

from tools.kernel.source_text import without_comments
from tools.tasks.c_expressions import UnreadableError
from tools.tasks.drafted_reference import CParameter, reference_text, whole_array_text
from tools.tasks.lane_writing import LaneWriter
from tools.tasks.whole_arrays import WholeArrayWriter

_TYPES = (
    "bool",
    "__half",
    *(f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "size_t",
)
_PRELUDE = " ".join(f"typedef int {name};" for name in _TYPES)
_SPELLED = {
    r"\bhalf\b|\b__nv_bfloat16\b|\bnv_bfloat16\b": "__half",
    r"\b__restrict__\b|\b__restrict\b": "restrict",
}
_DROPPED = re.compile(
    r'extern\s+"C"|\b__global__\b|\b__forceinline__\b|\bconstexpr\b|\b__launch_bounds__\s*\([^()]*\)'
)
_CAST = re.compile(r"\b(?:static_cast|reinterpret_cast)\s*<([\w\s]+)>\s*\(")
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*(.*)$", re.MULTILINE)
_NUMBER = re.compile(r"(\w+)[ \t]+\(?(-?[\w.]+)\)?[ \t]*$")
_TOGETHER = re.compile(
    r"\b(?:__shared__|__sync\w+|atomic\w+|__shfl\w+|template|asm|__device__|__constant__)\b"
)


@dataclass(frozen=True)
class Transcript:
    """A drafted reference; `read` are the buffers not const that it reads too."""

    text: str
    read: frozenset[str]


def transcribe(
    source: str, kernel: str, parameters: Sequence[CParameter], elements: Sequence[str], block: Sequence[int]
) -> Transcript:
    """Draft the reference of a kernel.

    Args:
        source: A text with the kernel's code; no other function of it may be called.
        kernel: Which.
        parameters: In order.
        elements: Threads along x and y at least, expressions in the task's dims.
        block: Threads of a block along x and y.

    Raises:
        UnreadableError: The kernel is more than plain C.
    """
    body = _parsed(source, kernel)
    if len(block) == 1:
        try:
            return _whole(body, kernel, parameters, elements[0], block)
        except UnreadableError:
            pass  # a thread is more than an element: lanes say it, or say why not
    writer = LaneWriter(parameters, block)
    writer.statement(body, "on")
    read = _read(parameters, writer)
    grid = [f"-(-{_factor(one)} // {size})" for one, size in zip(elements, block, strict=True)]
    return Transcript(reference_text(kernel, parameters, read, (grid, block), writer.lines), read)


def _whole(
    body: Any, kernel: str, parameters: Sequence[CParameter], elements: str, block: Sequence[int]
) -> Transcript:
    writer = WholeArrayWriter(parameters, block, elements)
    writer.statement(body, "on")
    written = {one.task_name for one in parameters if one.pointer and not one.constant}
    if writer.stored != written or written & writer.names.gathered:
        raise UnreadableError("an output that is not written element by element")
    read = _read(parameters, writer)
    flat = elements if writer.uses_lane else ""
    return Transcript(whole_array_text(kernel, parameters, read, flat, writer.lines), read)


def _read(parameters: Sequence[CParameter], writer: LaneWriter) -> frozenset[str]:
    return frozenset(one.task_name for one in parameters if not one.constant) & writer.names.reads


def _factor(text: str) -> str:
    return text if text.isidentifier() else f"({text})"


def _parsed(source: str, kernel: str) -> Any:
    code = without_comments(source)
    if found := _TOGETHER.search(code):
        raise UnreadableError(f"`{found[0]}`")
    numbers: dict[str, str] = {}
    for found in _DIRECTIVE.finditer(code):
        named = _NUMBER.fullmatch(found[2]) if found[1] == "define" else None
        if named is not None:
            numbers[named[1]] = named[2]
        elif found[1] not in ("include", "pragma"):
            raise UnreadableError(f"`#{found[1]}`")
    code = _CAST.sub(r"(\1)(", _DROPPED.sub(" ", _DIRECTIVE.sub("", code)))
    for pattern, instead in {**_SPELLED, **{rf"\b{name}\b": text for name, text in numbers.items()}}.items():
        code = re.sub(pattern, instead, code)
    try:
        unit = CParser().parse(f"{_PRELUDE} {code}")
    except ParseError as error:
        raise UnreadableError(_more_than_c(str(error))) from None
    for one in unit.ext:
        if isinstance(one, c_ast.FuncDef) and one.decl.name == kernel:
            return one.body
    raise UnreadableError(f"no function {kernel} in plain C")


def _more_than_c(said: str) -> str:
    """What the parser of C says, in the words of the other messages."""
    found = re.match(r":(\d+):\d+: (?:before: )?(.*)", said)
    return f"more than plain C near `{found[2]}`, line {found[1]}" if found else f"more than plain C ({said})"
