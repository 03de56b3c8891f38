# pycparser says no types of its nodes:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
"""Kernels with a thread for each element, as arithmetic on whole arrays: what people write and the composer reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pycparser import c_ast

from tools.tasks.c_expressions import (
    CBuffer,
    LaneValue,
    UnreadableError,
    as_kind,
    bare,
    unreadable,
    value_of,
)
from tools.tasks.drafted_reference import CParameter
from tools.tasks.lane_writing import LaneWriter

LANE = "lane"


class WholeArrayWriter(LaneWriter):
    """Writes a kernel whose threads each take the element of their own number, below a guard, as whole arrays.

    Raises UnreadableError from `statement` where the kernel is more than that: lanes say it then.
    """

    def __init__(self, parameters: Sequence[CParameter], block: Sequence[int], elements: str) -> None:
        super().__init__(parameters, block)
        self.names.whole = True
        self.stored: set[str] = set()
        self._elements = elements
        self._block = block[0]
        self._guarded = 0
        self._meant: dict[str, str] = {}
        self._varying = {LANE, *(one.task_name for one in parameters if one.pointer)}

    @property
    def uses_lane(self) -> bool:
        """Whether a line names the number of an element."""
        return any(LANE in line for line in self.lines)

    def _declare(self, node: Any, mask: str) -> None:
        if node.init is not None and isinstance(node.type, c_ast.TypeDecl):
            meant = bare(value_of(node.init, self.names, mask).text)
            if meant in _own_numbers(self._block):
                self.names.values[node.name] = LaneValue(LANE, "int")
                return
            super()._declare(node, mask)
            name = self.names.values[node.name].text
            self._meant[name] = meant
            if self._varies(meant):
                self._varying.add(name)
            return
        super()._declare(node, mask)

    def _assign(self, node: Any, mask: str) -> None:
        target = node.lvalue if isinstance(node, c_ast.Assignment) else node.expr
        if isinstance(target, c_ast.ID) and target.name in self.names.values:
            if self.names.values[target.name].text == LANE:
                raise unreadable(node, "an assignment to the number of an element")
            self._meant.pop(self.names.values[target.name].text, None)
        super()._assign(node, mask)

    def _varies(self, text: str) -> bool:
        """Whether a value may differ between elements."""
        outside = re.sub(r"\w+\[([^\[\]]*)\]", r"\1", text)  # an element varies where its index does
        return not self._varying.isdisjoint(re.findall(r"[A-Za-z_]\w*", outside))

    def _chosen(self, mask: str, value: str, before: str) -> str:
        chosen = value if mask == "on" else super()._chosen(mask, value, before)
        if self._varies(chosen):
            self._varying.add(before)
        return chosen

    def _store(self, buffer: CBuffer, index: str, value: LaneValue, mask: str) -> None:
        if bare(index) != LANE or not self._guarded:
            raise UnreadableError("a store elsewhere than at a thread's own element")
        stored = bare(as_kind(value, buffer.kind).text)
        if not self._varies(f"{stored} {mask}"):
            raise UnreadableError("one value for all elements")
        if mask == "on":
            self._write(f"{buffer.name} = {stored}")
        else:
            before = buffer.name if buffer.name in self.stored | self.names.reads else "0"
            self._write(f"{buffer.name} = np.where({mask}, {stored}, {before})")
        self.stored.add(buffer.name)

    def _mask_of(self, mask: str, condition: str) -> str:
        name = self._mask(bare(condition) if mask == "on" else f"{mask} & {condition}")
        if self._varies(f"{mask} {condition}"):
            self._varying.add(name)
        return name

    def _other_mask(self, mask: str, yes: str) -> str:
        return self._mask_of(mask, f"np.logical_not({yes})")

    def _leave(self, masks: Sequence[str]) -> None:
        raise UnreadableError("a return before the end")

    def _branch(self, node: Any, mask: str) -> None:
        condition = bare(value_of(node.cond, self.names, mask).truth)
        if mask == "on" and node.iffalse is None:
            if self._bounds(condition, "<"):
                self._inside(node.iftrue)
                return
            if self._bounds(condition, ">=") and _only_returns(node.iftrue):
                self._guarded += 1  # what follows is for elements alone
                return
        super()._branch(node, mask)

    def _loop(self, node: Any, mask: str) -> None:
        if isinstance(node, c_ast.For) and mask == "on" and node.cond is not None:
            self.statement(node.init, mask)
            if self._bounds(bare(value_of(node.cond, self.names, mask).truth), "<") and self._strides(node):
                self._inside(node.stmt)
                return
        raise unreadable(node, "a loop")

    def _inside(self, node: Any) -> None:
        self._guarded += 1
        self.statement(node, "on")
        self._guarded -= 1

    def _bounds(self, condition: str, operator: str) -> bool:
        """Whether a condition holds, or fails, for exactly the numbers of elements."""
        left, found, right = condition.partition(f" {operator} ")
        limit = self._meant.get(right, bare(right))
        return bool(found) and left == LANE and limit == self._elements

    def _strides(self, node: Any) -> bool:
        """Whether a loop goes on by as many elements as there are threads, which are one for each."""
        match node.next:
            case c_ast.Assignment(op="+=", lvalue=c_ast.ID(name=name), rvalue=by):
                step = bare(value_of(by, self.names, "on").text)
                step = self._meant.get(step, step)
                return self.names.values[name].text == LANE and step in (
                    f"grid_x * {self._block}",
                    f"{self._block} * grid_x",
                )
            case _:
                return False


def _own_numbers(block: int) -> frozenset[str]:
    """What the number of a thread among all of them is written as."""
    products = (f"(block_x * {block})", f"({block} * block_x)")
    return frozenset(
        text for product in products for text in (f"{product} + thread_x", f"thread_x + {product}")
    )


def _only_returns(node: Any) -> bool:
    match node:
        case c_ast.Return(expr=None):
            return True
        case c_ast.Compound(block_items=[c_ast.Return(expr=None)]):
            return True
        case _:
            return False
