"""Assigns to the names, the items and the parts of arrays of a reference."""

from __future__ import annotations

import ast
from typing import Any, cast

from agent.composer.nests.arrays import Array, NotExpressed
from agent.composer.nests.reading import indexing, members, storing
from agent.composer.nests.reading.evaluating import Evaluator
from agent.composer.nests.reading.operators import arithmetic
from agent.composer.nests.reading.turns import Scope, Sum
from agent.composer.nests.reading.values import Selected, array_of, items_of
from agent.composer.nests.sizes import Size

MAX_TURNS = 256
"""Turns of a loop over plain numbers, which are all followed."""


class Assigner(Evaluator):
    """Assignments; a subclass follows the other statements."""

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Assign a value to a target."""
        match target:
            case ast.Name(id=name):
                self.bind(name, value, scope)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = self.rows(value)
                if len(values) != len(targets):
                    raise NotExpressed(f"{len(values)} values for {len(targets)} names")
                for one, item in zip(targets, values, strict=True):
                    self.assign(one, item, scope)
            case ast.Subscript(value=owner, slice=items):
                array, key = self.value(owner, scope), self.value(items, scope)
                if isinstance(array, dict | list):
                    self._put(array, key, value)
                else:
                    self._store(array, key, value, "")
            case _:
                raise NotExpressed(f"assignment to `{ast.unparse(target)}`")

    def _put(self, owner: Any, key: Any, value: Any) -> None:
        self.unchanged(owner)
        if isinstance(key, Array | Size | slice):
            raise NotExpressed("an item whose index is no plain number")
        try:
            owner[key] = value
        except (LookupError, TypeError) as error:
            raise NotExpressed(f"storing at `[{key}]` of a {type(owner).__name__}") from error

    def bind(self, name: str, value: Any, scope: Scope) -> None:
        """Let a name hold a value."""
        if self.is_outer(name):
            self.loops[-1].take(name)
        scope[name] = value

    def _store(self, array: Any, items: Any, value: Any, op: str) -> None:
        if not isinstance(array, Array):
            raise NotExpressed(f"storing into a {type(array).__name__}")
        if isinstance(value, Selected):
            storing.write_selected(self.tracer, array, items, value, op)
        else:
            storing.write(self.tracer, array, items, array_of(self.tracer, value), op)

    def rows(self, value: Any) -> list[Any]:
        """The items of a sequence, or the rows of an array of plain length."""
        if isinstance(value, Array) and value.axes and (count := value.shape[0].constant) is not None:
            return [indexing.read(self.tracer, value, at) for at in range(min(count, MAX_TURNS + 1))]
        return items_of(value)

    def is_outer(self, name: str) -> bool:
        """Whether a loop over a size, which is being followed, found the name bound."""
        return bool(self.loops) and name in self.loops[-1].outer

    def augment_name(self, name: str, op: str, value: Any, scope: Scope) -> None:
        """`name op= value`, which a loop over a size adds up."""
        if self.is_outer(name):
            self.loops[-1].add(self.tracer, name, Sum(op, value, in_place=True))
            return
        self.changed(name, op, value, scope)

    def changed(self, name: str, op: str, value: Any, scope: Scope) -> None:
        """`name op= value`: arrays and lists stay the same objects."""
        before = self.name(name, scope)
        if isinstance(before, Array) and before.axes:
            self._store(before, Ellipsis, arithmetic(self.tracer, op, before, value), "")
        elif isinstance(before, list) and op == "+":
            self.unchanged(cast("list[Any]", before))
            cast("list[Any]", before).extend(items_of(value))
        else:
            scope[name] = arithmetic(self.tracer, op, before, value)

    def augment_part(self, owner: Any, key: Any, op: str, value: Any) -> None:
        """`owner[key] op= value`."""
        if isinstance(owner, list | dict):
            self.unchanged(cast("Any", owner))
            old = members.subscript(self.tracer, owner, key)
            cast("Any", owner)[key] = arithmetic(self.tracer, op, old, value)
        elif op in ("+", "-", "*"):
            self._store(owner, key, value, op)
        else:
            old = members.subscript(self.tracer, owner, key)
            self._store(owner, key, arithmetic(self.tracer, op, old, value), "")
