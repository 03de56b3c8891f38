# pycparser says no types of its nodes:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""Statements of plain C as NumPy: every thread is a lane of an array, and masks say which lanes do what."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Any

from pycparser import c_ast

from tools.tasks.c_expressions import (
    CBuffer,
    CNames,
    ElementAt,
    LaneValue,
    address_of,
    as_kind,
    bare,
    combined,
    kind_of,
    unreadable,
    value_of,
)
from tools.tasks.drafted_reference import TAKEN, CParameter


class LaneWriter:
    """Writes statements for all lanes at once; what lanes do not do is masked."""

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

    def _mask_of(self, mask: str, condition: str) -> str:
        return self._mask(f"{mask} & {condition}")

    def _other_mask(self, mask: str, yes: str) -> str:
        return self._mask(f"{mask} & ~{yes}")

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
            self._write(f"{known.text} = {self._chosen(mask, bare(value.text), known.text)}")
            return
        place = address_of(target, self.names, mask)
        (buffer,) = [one for one in self.names.buffers.values() if one.name == place.buffer]
        self._store(buffer, place.index, value, mask)

    def _chosen(self, mask: str, value: str, before: str) -> str:
        """What a variable holds after an assignment that the lanes of a mask do."""
        return f"np.where({mask}, {value}, {before})"

    def _store(self, buffer: CBuffer, index: str, value: LaneValue, mask: str) -> None:
        stored = bare(as_kind(value, buffer.kind).text)
        self._write(f"store({buffer.name}, {bare(index)}, {stored}, {mask})")

    def _branch(self, node: Any, mask: str) -> None:
        condition = value_of(node.cond, self.names, mask).truth
        yes = self._mask_of(mask, condition)
        no = self._other_mask(mask, yes) if node.iffalse is not None else ""
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
