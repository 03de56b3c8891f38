"""What is known of a loop over a size whose body is followed once for all its turns."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.composer.nests.arrays import BuildsOnTurnsError, Tracer
from agent.composer.nests.reading.operators import arithmetic, numbers_of

Scope = dict[str, Any]
_CARRIED = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_EXTREMES = {"maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min", "max": "max", "min": "min"}
_ADDED = ("+", "-", "*", "max", "min")


@dataclass(frozen=True)
class Gone:
    """What a name holds after a loop over a size, where every turn gave it another value."""


GONE = Gone()


@dataclass(frozen=True)
class Sum:
    """What one turn adds to a name, by which operation, and whether it changes the array itself."""

    op: str
    value: Any
    in_place: bool


@dataclass
class LoopTurns:
    """The names of a loop that is being followed.

    Attributes:
        outer: Names that were bound when it began.
        held: Lists and dicts of that time, which a turn must not change.
        own: Outer names that every turn gives a value of its own.
        read: Outer names that were read while they had their value from before the loop.
        sums: What a turn adds to outer names.
    """

    outer: set[str]
    held: set[int]
    own: set[str] = field(default_factory=set[str])
    read: set[str] = field(default_factory=set[str])
    sums: dict[str, Sum] = field(default_factory=dict[str, Sum])

    @classmethod
    def of(cls, scope: Mapping[str, Any], *targets: str) -> LoopTurns:
        """Begin a loop whose targets are its own."""
        held = {id(value) for value in scope.values() if type(value) in (list, dict)}
        return cls(set(scope) - set(targets), held)

    def note_read(self, name: str) -> None:
        """A name is read.

        Raises:
            BuildsOnTurnsError: The loop adds it up.
        """
        if name in self.sums:
            raise BuildsOnTurnsError(f"`{name}` is read while a loop adds it up", name)
        if name in self.outer:
            self.read.add(name)

    def take(self, name: str) -> None:
        """A name gets a value that does not build on its last.

        Raises:
            BuildsOnTurnsError: The loop read it before, or adds it up.
        """
        if name not in self.outer:
            return
        if name in self.read or name in self.sums:
            raise BuildsOnTurnsError(f"`{name}` changes from turn to turn of a loop over a size", name)
        self.outer.discard(name)
        self.own.add(name)

    def add(self, tracer: Tracer, name: str, change: Sum) -> None:
        """A turn adds to a name.

        Raises:
            BuildsOnTurnsError: The order of the turns counts.
        """
        if change.op not in _ADDED:
            raise BuildsOnTurnsError(f"`{name} {change.op}= ...` in a loop over a size", name)
        if name in self.read:
            raise BuildsOnTurnsError(f"`{name}` is read and changed in one loop over a size", name)
        value = numbers_of(tracer, change.value)
        before = self.sums.get(name)
        if before is not None:
            if before.op != change.op or before.in_place != change.in_place:
                raise BuildsOnTurnsError(f"`{name}` is changed in two ways in one loop", name)
            value = arithmetic(tracer, "+" if change.op == "-" else change.op, before.value, value)
        self.sums[name] = Sum(change.op, value, change.in_place)


def carried(name: str, written: ast.expr) -> tuple[str, ast.expr] | None:
    """What an assignment to a name adds to its old value, and by which operation; None where that is not mentioned.

    Raises:
        BuildsOnTurnsError: It builds on the old value in another way.
    """
    if name not in {one.id for one in ast.walk(written) if isinstance(one, ast.Name)}:
        return None
    match written:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as op, right=right):
            sign, pairs = _CARRIED[type(op)], [(left, right)]
            pairs += [] if sign == "-" else [(right, left)]
        case ast.Call(func=func, args=[left, right], keywords=[]) if _extreme(func):
            sign, pairs = _extreme(func), [(left, right), (right, left)]
        case _:
            sign, pairs = "", []
    for old, value in pairs:
        if isinstance(old, ast.Name) and old.id == name:
            return sign, value
    raise BuildsOnTurnsError(f"`{name}` changes from turn to turn of a loop over a size", name)


def _extreme(node: ast.expr) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return _EXTREMES.get(name, "")
