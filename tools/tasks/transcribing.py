# pycparser says no types of its nodes:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""What a plain kernel computes, in NumPy: a reference drafted from its own code, which its author then reads.

Every thread is a lane of an array. Read is C of one function: numbers, loops, conditions, elements of arguments.
Threads that work together (shared memory, barriers, atomics), templates and functions of one's own are not; nor is
rounding: a reference is exact. What was read wrongly shows as soon as the kernel is judged by it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pycparser import CParser, c_ast
from pycparser.c_parser import ParseError

from tools.kernel.source_text import without_comments
from tools.tasks.c_expressions import (
    CBuffer,
    CNames,
    ElementAt,
    LaneValue,
    UnreadableError,
    address_of,
    as_kind,
    bare,
    combined,
    kind_of,
    unreadable,
    value_of,
)
from tools.tasks.drafted_reference import TAKEN, CParameter, reference_text

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
    source: str, kernel: str, parameters: Sequence[CParameter], grid: Sequence[str], block: Sequence[int]
) -> Transcript:
    """Draft the reference of a kernel.

    Args:
        source: A text with the kernel's code; no other function of it may be called.
        kernel: Which.
        parameters: In order.
        grid: Blocks along x and y, expressions in the task's dims.
        block: Threads along x and y.

    Raises:
        UnreadableError: The kernel is more than plain C.
    """
    body = _parsed(source, kernel)
    writer = _Writer(parameters, block)
    writer.statement(body, "on")
    read = frozenset(one.task_name for one in parameters if not one.constant) & writer.names.reads
    return Transcript(reference_text(kernel, parameters, read, (grid, block), writer.lines), read)


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
        raise UnreadableError(f"more than plain C ({error})") from None
    for one in unit.ext:
        if isinstance(one, c_ast.FuncDef) and one.decl.name == kernel:
            return one.body
    raise UnreadableError(f"no function {kernel} in plain C")


class _Writer:
    def __init__(self, parameters: Sequence[CParameter], block: Sequence[int]) -> None:
        self.lines: list[str] = []
        self._indent = 1
        self._masks: list[str] = ["on"]
        self._loops: list[str] = []
        self._made = 0
        self._used = {one.task_name for one in parameters} | TAKEN
        self._named: dict[str, str] = {}
        self.names = CNames(
            {one.name: LaneValue(one.task_name, one.kind) for one in parameters if not one.pointer}
            | _places(block),
            {one.name: CBuffer(one.task_name, one.kind) for one in parameters if one.pointer},
        )

    def statement(self, node: Any, mask: str) -> None:
        """Write a statement that the lanes in a mask do."""
        match node:
            case None | c_ast.EmptyStatement() | c_ast.Pragma():
                return
            case c_ast.Compound() | c_ast.DeclList() | c_ast.ExprList():
                for _, one in node.children():
                    self.statement(one, mask)
            case c_ast.Decl():
                self._declare(node, mask)
            case c_ast.Assignment() | c_ast.UnaryOp(op="++" | "p++" | "--" | "p--"):
                self._assign(node, mask)
            case _:
                self._control(node, mask)

    def _control(self, node: Any, mask: str) -> None:
        match node:
            case c_ast.If():
                self._branch(node, mask)
            case c_ast.For() | c_ast.While():
                self._loop(node, mask)
            case c_ast.Return():
                self._leave(self._masks)
            case c_ast.Break() if self._loops:
                self._leave(self._masks[self._masks.index(self._loops[-1]) :])
            case _:
                raise unreadable(node, f"{type(node).__name__} as a statement")

    def _write(self, line: str) -> None:
        self.lines.append(f"{'    ' * self._indent}{line}")

    def _leave(self, masks: Sequence[str]) -> None:
        """Take the lanes of the innermost mask out of these."""
        inner = masks[-1]
        for mask in masks[:-1]:
            self._write(f"{mask} = {mask} & ~{inner}")
        self._write(f"{inner} = {inner} & False")

    def _mask(self, condition: str) -> str:
        self._made += 1
        name = f"on{self._made}"
        self._write(f"{name} = {condition}")
        return name

    def _name(self, declared: str) -> str:
        """The Python name of a variable, which no other has."""
        if declared not in self._named:
            name = declared.lower()
            while name in self._used or keyword.iskeyword(name) or re.fullmatch(r"on\d+", name):
                name += "_"
            self._used.add(name)
            self._named[declared] = name
        return self._named[declared]

    def _declare(self, node: Any, mask: str) -> None:
        name = self._name(node.name)
        match node.type:
            case c_ast.PtrDecl() if node.init is not None:
                start = address_of(node.init, self.names, mask)
                self._write(f"{name}_at = {bare(start.index)}")
                self.names.pointers[node.name] = ElementAt(start.buffer, f"{name}_at")
            case c_ast.TypeDecl():
                kind = kind_of(node.type)
                zero = LaneValue("np.zeros(lane.shape)" if kind == "float" else "np.zeros_like(lane)", kind)
                value = zero if node.init is None else as_kind(value_of(node.init, self.names, mask), kind)
                self._write(f"{name} = {bare(value.text)}")
                self.names.values[node.name] = LaneValue(name, kind)
            case _:
                raise unreadable(node, f"the declaration of `{node.name}`")

    def _assign(self, node: Any, mask: str) -> None:
        target = node.lvalue if isinstance(node, c_ast.Assignment) else node.expr
        operator = node.op.rstrip("=") if isinstance(node, c_ast.Assignment) else node.op.strip("p")[0]
        given = node.rvalue if isinstance(node, c_ast.Assignment) else c_ast.Constant("int", "1")
        value = value_of(given, self.names, mask)
        if operator:
            value = combined(operator, value_of(target, self.names, mask), value, node)
        if isinstance(target, c_ast.ID):
            known = self.names.values.get(target.name)
            if known is None or not known.text.isidentifier():
                raise unreadable(node, f"an assignment to `{target.name}`")
            value = as_kind(value, known.kind)
            self._write(f"{known.text} = np.where({mask}, {bare(value.text)}, {known.text})")
            return
        place = address_of(target, self.names, mask)
        (buffer,) = [one for one in self.names.buffers.values() if one.name == place.buffer]
        stored = bare(as_kind(value, buffer.kind).text)
        self._write(f"store({place.buffer}, {bare(place.index)}, {stored}, {mask})")

    def _branch(self, node: Any, mask: str) -> None:
        condition = value_of(node.cond, self.names, mask).truth
        yes = self._mask(f"{mask} & {condition}")
        no = self._mask(f"{mask} & ~{yes}") if node.iffalse is not None else ""
        for inner, part in ((yes, node.iftrue), (no, node.iffalse)):
            if part is not None:
                self._masks.append(inner)
                self.statement(part, inner)
                self._masks.pop()

    def _loop(self, node: Any, mask: str) -> None:
        if isinstance(node, c_ast.For):
            self.statement(node.init, mask)
        if node.cond is None:
            raise unreadable(node, "a loop without an end")
        inner = self._mask(f"{mask} & {value_of(node.cond, self.names, mask).truth}")
        self._write(f"while {inner}.any():")
        self._masks.append(inner)
        self._loops.append(inner)
        self._indent += 1
        self.statement(node.stmt, inner)
        if isinstance(node, c_ast.For):
            self.statement(node.next, inner)
        self._write(f"{inner} = {inner} & {value_of(node.cond, self.names, inner).truth}")
        self._indent -= 1
        self._loops.pop()
        self._masks.pop()


def _places(block: Sequence[int]) -> dict[str, LaneValue]:
    across, down = (*block, 1)[:2]
    known = {
        "threadIdx.x": "thread_x",
        "threadIdx.y": "thread_y" if down > 1 else "0",
        "threadIdx.z": "0",
        "blockIdx.x": "block_x",
        "blockIdx.y": "block_y" if down > 1 else "0",
        "blockIdx.z": "0",
        "blockDim.x": str(across),
        "blockDim.y": str(down),
        "blockDim.z": "1",
        "gridDim.x": "grid_x",
        "gridDim.y": "grid_y" if down > 1 else "1",
        "gridDim.z": "1",
    }
    return {name: LaneValue(text, "int") for name, text in known.items()}
