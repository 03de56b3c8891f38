"""Evaluates the expressions of a reference on symbolic values."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import singledispatchmethod
from typing import Any, cast

from agent.composer.nests.arrays import Array, NotExpressed, Tracer
from agent.composer.nests.reading import members
from agent.composer.nests.reading.calls import OwnFunction, Returned, defaults_of
from agent.composer.nests.reading.operators import OPERATORS, arithmetic, comparison, decided, negated
from agent.composer.nests.reading.turns import GONE, LoopTurns, Scope
from agent.composer.nests.reading.values import Listed, Range, array_of, items_of
from agent.composer.nests.sizes import Size

MAX_STEPS = 20_000
MAX_DEPTH = 30


class Evaluator:
    """Values of expressions; a subclass follows the statements of functions."""

    def __init__(self) -> None:
        self.tracer = Tracer()
        self.globals: Scope = {}
        self.loops: list[LoopTurns] = []
        """Loops over sizes that are being followed, in the function that is being followed."""
        self.running: list[LoopTurns] = []
        """The same, with those of the functions that called it."""
        self.library = 0
        """How many functions that are not the reference's own are being followed."""
        self._steps = 0
        self._depth = 0

    @abstractmethod
    def follow_body(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow the statements of a function."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Assign a value to a target."""

    def step(self) -> None:
        """Count a step.

        Raises:
            NotExpressed: There are too many.
        """
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise NotExpressed(
                f"more than {MAX_STEPS} steps: loops over plain numbers are followed turn by turn"
            )

    def decided(self, test: ast.expr, scope: Scope) -> bool:
        """Whether a test holds, whatever the data."""
        return decided(self.value(test, scope))

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        self.step()
        return self._value(node, scope)

    def name(self, name: str, scope: Scope) -> Any:
        """What a name holds."""
        for turns in self.loops:
            turns.note_read(name)
        for place in (scope, self.globals):
            if name in place:
                if place[name] is GONE:
                    raise NotExpressed(
                        f"`{name}` is read after a loop over a size that gave it a value each turn"
                    )
                return place[name]
        return members.built_in(name)

    def unchanged(self, value: Any) -> None:
        """A list or a dict is about to change.

        Raises:
            NotExpressed: A loop over a size found it there.
        """
        if any(id(value) in turns.held for turns in self.running):
            raise NotExpressed("a list that a loop over a size changes; store into an array instead")

    @singledispatchmethod
    def _value(self, node: ast.expr, scope: Scope) -> Any:
        raise NotExpressed(f"`{ast.unparse(node)[:60]}`")

    @_value.register
    def _(self, node: ast.Constant, scope: Scope) -> Any:
        if isinstance(node.value, complex | bytes):
            raise NotExpressed(f"the constant `{ast.unparse(node)[:60]}`")
        return node.value

    @_value.register
    def _(self, node: ast.Name, scope: Scope) -> Any:
        return self.name(node.id, scope)

    @_value.register
    def _(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._items(node.elts, scope))

    @_value.register
    def _(self, node: ast.List, scope: Scope) -> Any:
        return self._items(node.elts, scope)

    @_value.register
    def _(self, node: ast.Dict, scope: Scope) -> Any:
        found: dict[Any, Any] = {}
        for key, part in zip(node.keys, node.values, strict=True):
            value = self.value(part, scope)
            if key is None:
                found |= self._dict(value)
            else:
                found[self.value(key, scope)] = value
        return found

    def _dict(self, value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise NotExpressed("`**` of what is no dict")
        return cast("dict[Any, Any]", value)

    @_value.register
    def _(self, node: ast.Slice, scope: Scope) -> Any:
        limits = (node.lower, node.upper, node.step)
        return slice(*(None if part is None else self.value(part, scope) for part in limits))

    @_value.register
    def _(self, node: ast.JoinedStr, scope: Scope) -> Any:
        return "".join(self._text(part, scope) for part in node.values)

    def _text(self, part: ast.expr, scope: Scope) -> str:
        if isinstance(part, ast.FormattedValue) and part.format_spec is None and part.conversion == -1:
            found = self.value(part.value, scope)
            if isinstance(found, str | int):
                return str(found)
        if isinstance(part, ast.Constant):
            return str(part.value)
        raise NotExpressed(f"the text `{ast.unparse(part)[:60]}`")

    @_value.register
    def _(self, node: ast.UnaryOp, scope: Scope) -> Any:
        return negated(self.tracer, type(node.op), self.value(node.operand, scope))

    @_value.register
    def _(self, node: ast.BinOp, scope: Scope) -> Any:
        left, right = self.value(node.left, scope), self.value(node.right, scope)
        return arithmetic(self.tracer, OPERATORS[type(node.op)], left, right)

    @_value.register
    def _(self, node: ast.BoolOp, scope: Scope) -> Any:
        *first, last = node.values
        for part in first:
            found = self.value(part, scope)
            if decided(found) != isinstance(node.op, ast.And):
                return found
        return self.value(last, scope)

    @_value.register
    def _(self, node: ast.Compare, scope: Scope) -> Any:
        first = self.value(node.left, scope)
        result: Any = True
        for op, part in zip(node.ops, node.comparators, strict=True):
            second = self.value(part, scope)
            one = comparison(self.tracer, op, first, second)
            result = one if result is True else arithmetic(self.tracer, "&", result, one)
            first = second
        return result

    @_value.register
    def _(self, node: ast.IfExp, scope: Scope) -> Any:
        return self.value(node.body if self.decided(node.test, scope) else node.orelse, scope)

    @_value.register
    def _(self, node: ast.Attribute, scope: Scope) -> Any:
        owner = self.value(node.value, scope)
        if isinstance(owner, list) and node.attr in ("append", "extend"):
            return self._grown(cast("list[Any]", owner), node.attr)
        return members.attribute(self.tracer, owner, node.attr)

    def _grown(self, owner: list[Any], name: str) -> Callable[[Tracer, Any], None]:
        def append(tracer: Tracer, value: Any) -> None:
            self.unchanged(owner)
            owner.extend([value] if name == "append" else items_of(value))

        return append

    @_value.register
    def _(self, node: ast.Subscript, scope: Scope) -> Any:
        owner, items = self.value(node.value, scope), self.value(node.slice, scope)
        return members.subscript(self.tracer, owner, items)

    @_value.register
    def _(self, node: ast.Lambda, scope: Scope) -> Any:
        return self.function(node, [ast.Return(node.body, lineno=node.lineno)], scope)

    @_value.register
    def _(self, node: ast.ListComp, scope: Scope) -> Any:
        return self._comprehension(node.elt, node.generators, scope)

    @_value.register
    def _(self, node: ast.GeneratorExp, scope: Scope) -> Any:
        return self._comprehension(node.elt, node.generators, scope)

    def _comprehension(
        self, item: ast.expr, generators: Sequence[ast.comprehension], scope: Scope
    ) -> list[Any] | Listed:
        first = generators[0]
        turns = self.value(first.iter, scope)
        if isinstance(turns, Range) and turns.numbers() is None:
            if len(generators) > 1 or first.ifs or not isinstance(first.target, ast.Name):
                raise NotExpressed("a list as long as a size, of anything but one value for each index")
            return self._listed(item, first.target.id, turns, scope)
        return list(self._each(item, generators, turns, dict(scope)))

    def _each(
        self, item: ast.expr, generators: Sequence[ast.comprehension], turns: Any, inner: Scope
    ) -> Iterator[Any]:
        first, *rest = generators
        for value in items_of(turns):
            self.assign(first.target, value, inner)
            if not all(self.decided(test, inner) for test in first.ifs):
                continue
            if rest:
                yield from self._each(item, rest, self.value(rest[0].iter, inner), inner)
            else:
                yield self.value(item, inner)

    def _listed(self, item: ast.expr, target: str, turns: Range, scope: Scope) -> Listed:
        """A list as long as a size: its item is evaluated once, for any index."""
        loop = self.tracer.axis(turns.count)
        here = LoopTurns.of(scope, target)
        self.tracer.enter(loop)
        self.loops.append(here)
        self.running.append(here)
        try:
            found = self.value(item, scope | {target: turns.start + Size.of(loop) * turns.step})
            array = array_of(self.tracer, found)
            body = array.body
        finally:
            self.running.pop()
            self.loops.pop()
            self.tracer.leave()
        return Listed(Array((loop, *array.axes), body, None, self.tracer))

    def _items(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += items_of(self.value(node.value, scope))
            else:
                found.append(self.value(node, scope))
        return found

    @_value.register
    def _(self, node: ast.Call, scope: Scope) -> Any:
        function = self.value(node.func, scope)
        arguments = self._items(node.args, scope)
        words: dict[str, Any] = {}
        for word in node.keywords:
            value = self.value(word.value, scope)
            words |= self._dict(value) if word.arg is None else {word.arg: value}
        if isinstance(function, OwnFunction):
            return self.call(function, arguments, words)
        text = ast.unparse(node)[:60]
        if not callable(function):
            raise NotExpressed(f"the call `{text}`")
        try:
            return cast("Callable[..., Any]", function)(self.tracer, *arguments, **words)
        except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError) as error:
            raise NotExpressed(f"`{text}` is written in a way that is not read") from error

    def function(
        self, node: ast.FunctionDef | ast.Lambda, body: Sequence[ast.stmt], scope: Scope
    ) -> OwnFunction:
        """Define a function; its defaults are evaluated now."""
        defaults = {name: self.value(part, scope) for name, part in defaults_of(node.args).items()}
        return OwnFunction(node, body, defaults, scope)

    def call(self, function: OwnFunction, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        """What a function of the reference returns."""
        if self._depth >= MAX_DEPTH:
            raise NotExpressed(f"functions that call each other more than {MAX_DEPTH} deep")
        is_global = function.scope is self.globals
        if not is_global and not function.is_library:
            for name in function.free_names():
                for turns in self.loops:
                    turns.note_read(name)
        scope = function.bound({} if is_global else function.scope, arguments, words)
        self._depth += 1
        self.library += function.is_library
        loops, self.loops = self.loops, []
        try:
            self.follow_body(function.body, scope)
        except Returned as returned:
            return returned.value
        finally:
            self._depth -= 1
            self.library -= function.is_library
            self.loops = loops
        return None
