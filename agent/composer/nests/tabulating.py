"""Expensive values that many points share are computed once, by a kernel of their own, and read from a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.composer.ir import Binary, Node, Unary
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At, axes_of, folds_in, kind_of, rebuilt
from agent.composer.nests.program import NestProgram, is_special
from agent.composer.nests.sizes import Axis, Size, combinations

_SHARED = 16
"""Points that share a value for which a table pays."""

_CHEAP = frozenset({"neg", "abs", "not", "~", "int", "real", "sqrt", "floor", "ceil", "rint", "trunc"})
"""Functions of one value that take an instruction or two."""


def tabulated(stages: Sequence[FilledBuffer], program: NestProgram) -> list[FilledBuffer]:
    """The stages with tables before the first that reads them."""
    tables = _Tables(program)
    found: list[FilledBuffer] = []
    for stage in stages:
        if is_special(stage) or stage.is_scattered or any(True for _ in folds_in(stage.value)):
            found.append(stage)
            continue
        value = tables.read(stage, stage.value)
        found += tables.fresh()
        found.append(replace(stage, value=value))
    return found


@dataclass
class _Tables:
    """The tables of a program, by what they hold."""

    program: NestProgram
    made: dict[Node, FilledBuffer] = field(default_factory=dict[Node, FilledBuffer])
    _given: int = 0

    def fresh(self) -> list[FilledBuffer]:
        """The tables that were made since the last call."""
        found = list(self.made.values())[self._given :]
        self._given = len(self.made)
        return found

    def read(self, stage: FilledBuffer, node: Node) -> Node:
        """The value with what is worth a table read from one."""
        axes = tuple(axis for axis in stage.axes if axis in axes_of(node))
        if _is_expensive(node) and self._is_shared(stage, axes):
            if node not in self.made:
                name = f"{stage.name}_table_{len(self.made) + 1}"
                self.made[node] = FilledBuffer(name, axes, node, kind_of(node))
            table = self.made[node]
            return At(table.name, tuple(map(Size.of, table.axes)), table.kind)
        return rebuilt(node, lambda part: self.read(stage, part)) if not isinstance(node, At) else node

    def _is_shared(self, stage: FilledBuffer, axes: Sequence[Axis]) -> bool:
        """Whether each combination of these axes stands for many points of the stage."""
        if not axes or any(True for axis in stage.axes for _ in axis.extent.axes()):
            return False
        return self.program.count(combinations(axes)) * _SHARED <= self.program.count(
            combinations(stage.axes)
        )


def _is_expensive(node: Node) -> bool:
    return any(
        (isinstance(part, Unary) and part.op not in _CHEAP) or (isinstance(part, Binary) and part.op == "**")
        for part in _own(node)
    ) and isinstance(node, Unary | Binary)


def _own(node: Node) -> Iterator[Node]:
    """The node and its operands, without what indices are made of."""
    yield node
    for child in node.children:
        yield from _own(child)
