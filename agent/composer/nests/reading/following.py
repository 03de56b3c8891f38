"""Follows a reference: its Python is interpreted on symbolic arrays, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any, cast

from agent.composer.expressions import kind_of as kind_of_dtype
from agent.composer.nests import wrapping
from agent.composer.nests.arrays import Array, BuildsOnTurnsError, FilledBuffer, NotExpressed
from agent.composer.nests.points import At
from agent.composer.nests.reading import members
from agent.composer.nests.reading.assigning import MAX_TURNS, Assigner
from agent.composer.nests.reading.calls import OwnFunction, Returned
from agent.composer.nests.reading.carrying import CarriesError, Carrying
from agent.composer.nests.reading.extents import size_of
from agent.composer.nests.reading.operators import OPERATORS, arithmetic, over_turns
from agent.composer.nests.reading.taken import Taken
from agent.composer.nests.reading.turns import GONE, LoopTurns, Scope, Sum, carried
from agent.composer.nests.reading.values import Range, array_of
from agent.composer.nests.sizes import Size
from sandbox.syntax_trees import syntax_tree
from tools.tasks.task import Task, TaskArgument


class FollowingError(Exception):
    """The reference is not expressed; the text names the line and the construct."""


@dataclass(frozen=True)
class Computation:
    """What a reference computes.

    Attributes:
        stages: The buffers on the way.
        outputs: By name.
        dims: What each dim is taken for: itself, or a multiple of what must divide it.
    """

    stages: tuple[FilledBuffer, ...]
    outputs: tuple[tuple[str, Array], ...]
    dims: Mapping[str, Size]


class _Jump(Exception):
    """`break` or `continue`."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def follow(task: Task) -> Computation:
    """Follow the reference of a task.

    Raises:
        FollowingError: It does what nests cannot express.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = syntax_tree(task.reference)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FollowingError(f"reference.py is not Python: {type(error).__name__}") from error
    taken = Taken({name: Size.of(name) for name in task.dims})
    while True:
        try:
            return _Follower(task, taken).follow(module)
        except FollowingError as error:
            more = taken.learnt(error.__cause__)
            if more is None:
                raise
            taken = more


class _Follower(Assigner):
    def __init__(self, task: Task, taken: Taken) -> None:
        super().__init__()
        self._task = task
        self._taken = taken

    def follow(self, module: ast.Module) -> Computation:
        """Follow the module, then call its function `reference`."""
        at: ast.stmt | None = None
        try:
            for at in module.body:
                if not _is_for_scripts(at):
                    self._statement(at, self.globals)
            function = self.globals.get("reference")
            if not isinstance(function, OwnFunction) or not isinstance(function.node, ast.FunctionDef):
                raise NotExpressed("no function `reference`")
            at = function.node
            result = self.call(function, [], self._inputs(function))
            return Computation(tuple(self.tracer.stages), self._outputs(result), self._taken.dims)
        except (NotExpressed, RecursionError) as error:
            raise FollowingError(f"reference.py line {at.lineno if at else 1}: {error}") from error

    def _inputs(self, function: OwnFunction) -> dict[str, Any]:
        spec = function.node.args
        wanted = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
        known: dict[str, Any] = dict(self._taken.dims)
        for argument in self._task.arguments:
            if argument.role != "out":
                known[argument.name] = self._input(argument)
        return {name: value for name, value in known.items() if name in wanted or spec.kwarg}

    def _input(self, argument: TaskArgument) -> Array:
        shape = [size_of(text, self._taken.dims) for text in argument.shape]
        kind, dtype = kind_of_dtype(argument.dtype), wrapping.named(argument.dtype)
        return self.tracer.array(shape, lambda index: At(argument.name, index, kind, dtype=dtype))

    def _outputs(self, result: Any) -> tuple[tuple[str, Array], ...]:
        if not isinstance(result, dict):
            raise NotExpressed("`reference` must return a dict {output name: value}")
        found = cast("dict[str, Any]", result)
        return tuple((name, self._readable(value)) for name, value in found.items())

    def _readable(self, value: Any) -> Array:
        """An output, which must not be a view of what was written to since."""
        array = array_of(self.tracer, value)
        assert array.body is array.own, "reading it raises where it is not readable"
        return array

    # ------------------------------------------------------------------ statements

    def follow_body(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements one after the other."""
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        self.step()
        try:
            self._follow(node, scope)
        except NotExpressed as error:
            if self.library:
                raise
            raise FollowingError(f"reference.py line {node.lineno}: {error}") from error

    @singledispatchmethod
    def _follow(self, node: ast.stmt, scope: Scope) -> None:
        raise NotExpressed(f"`{type(node).__name__}`")

    @_follow.register
    def _(self, node: ast.Import, scope: Scope) -> None:
        for one in node.names:
            name = one.name if one.asname else one.name.split(".")[0]
            scope[one.asname or name] = members.module(name)

    @_follow.register
    def _(self, node: ast.ImportFrom, scope: Scope) -> None:
        if node.module == "__future__":
            return
        for one in node.names:
            scope[one.asname or one.name] = members.member(members.module(node.module or ""), one.name)

    @_follow.register
    def _(self, node: ast.FunctionDef, scope: Scope) -> None:
        if node.decorator_list:
            raise NotExpressed(f"the decorator `{ast.unparse(node.decorator_list[0])[:60]}`")
        self.bind(node.name, self.function(node, node.body, scope), scope)

    @_follow.register
    def _(self, node: ast.Return, scope: Scope) -> None:
        raise Returned(None if node.value is None else self.value(node.value, scope))

    @_follow.register
    def _(self, node: ast.Assign, scope: Scope) -> None:
        match node.targets:
            case [ast.Name(id=name)] if self.is_outer(name) and self._carries(name, node.value, scope):
                return
            case targets:
                found = self.value(node.value, scope)
                for target in targets:
                    self.assign(target, found, scope)

    @_follow.register
    def _(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._follow(ast.Assign([node.target], node.value, lineno=node.lineno), scope)

    @_follow.register
    def _(self, node: ast.If, scope: Scope) -> None:
        self.follow_body(node.body if self.decided(node.test, scope) else node.orelse, scope)

    @_follow.register
    def _(self, node: ast.With, scope: Scope) -> None:
        for one in node.items:
            if self.value(one.context_expr, scope) is not None or one.optional_vars is not None:
                raise NotExpressed(f"`with {ast.unparse(one)[:60]}`")
        self.follow_body(node.body, scope)

    @_follow.register
    def _(self, node: ast.Expr, scope: Scope) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, scope)

    @_follow.register(ast.Pass)
    @_follow.register(ast.Assert)
    def _(self, node: ast.stmt, scope: Scope) -> None:
        """What changes nothing."""

    @_follow.register
    def _(self, node: ast.Break, scope: Scope) -> None:
        raise _Jump("break")

    @_follow.register
    def _(self, node: ast.Continue, scope: Scope) -> None:
        raise _Jump("continue")

    @_follow.register
    def _(self, node: ast.AugAssign, scope: Scope) -> None:
        op = OPERATORS[type(node.op)]
        match node.target:
            case ast.Name(id=name):
                self.augment_name(name, op, self.value(node.value, scope), scope)
            case ast.Subscript(value=owner, slice=items):
                array, key = self.value(owner, scope), self.value(items, scope)
                self.augment_part(array, key, op, self.value(node.value, scope))
            case _:
                raise NotExpressed(f"`{ast.unparse(node.target)}` changed in place")

    # ------------------------------------------------------------------ loops

    @_follow.register
    def _(self, node: ast.For, scope: Scope) -> None:
        turns = self.value(node.iter, scope)
        if isinstance(turns, Range) and turns.numbers() is None:
            self._symbolic(node, turns, scope)
            return
        values = self.rows(turns)
        if len(values) > MAX_TURNS:
            raise NotExpressed(f"a loop of {len(values)} turns; up to {MAX_TURNS} are followed")
        for value in values:
            self.assign(node.target, value, scope)
            if self._is_left(node.body, scope):
                return
        self.follow_body(node.orelse, scope)

    @_follow.register
    def _(self, node: ast.While, scope: Scope) -> None:
        for _ in range(MAX_TURNS):
            if not self.decided(node.test, scope):
                self.follow_body(node.orelse, scope)
                return
            if self._is_left(node.body, scope):
                return
        raise NotExpressed(f"a loop of more than {MAX_TURNS} turns")

    def _is_left(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Follow one turn; whether it ends the loop."""
        try:
            self.follow_body(body, scope)
        except _Jump as jump:
            return jump.word == "break"
        return False

    def _symbolic(self, node: ast.For, turns: Range, scope: Scope) -> None:
        """Follow the body once: what it stores is stored at every turn, what it adds up is summed over them."""
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise NotExpressed("a loop over a size with several names or an `else`")
        loop = self.tracer.axis(turns.count)
        place = (self.library > 0, node.lineno, node.col_offset)
        carrying = Carrying(self.tracer, place, scope, self._taken.carried.get(place, {}))
        known, here = set(scope), LoopTurns.of(scope, node.target.id, *carrying.names)
        if self.is_outer(node.target.id):
            self.loops[-1].take(node.target.id)
        self.tracer.enter(loop)
        self.loops.append(here)
        self.running.append(here)
        try:
            carrying.begin(loop)
            scope[node.target.id] = turns.start + Size.of(loop) * turns.step
            self.follow_body(node.body, scope)
        except _Jump as jump:
            raise NotExpressed(f"`{jump.word}` in a loop over a size") from jump
        except Returned as returned:
            raise NotExpressed("`return` in a loop over a size") from returned
        except (FollowingError, BuildsOnTurnsError) as error:
            name = _built_on(error, scope)
            if name not in known:
                raise
            raise CarriesError(place, name) from error
        finally:
            self.running.pop()
            self.loops.pop()
            self.tracer.leave()
        carrying.end(loop)
        scope.update(dict.fromkeys((set(scope) - known) | {node.target.id} | here.own, GONE))
        for name, change in here.sums.items():
            self._add_up(name, change, over_turns(self.tracer, change.op, change.value, loop), scope)

    def _add_up(self, name: str, change: Sum, total: Array, scope: Scope) -> None:
        """Add what all turns of a loop make to a name."""
        if self.is_outer(name):
            self.loops[-1].add(self.tracer, name, Sum(change.op, total, change.in_place))
        elif change.in_place:
            self.changed(name, change.op, total, scope)
        else:
            scope[name] = arithmetic(self.tracer, change.op, self.name(name, scope), total)

    def _carries(self, name: str, written: ast.expr, scope: Scope) -> bool:
        """Take `name = name + value` and the like in a loop over a size; False for what needs no old value."""
        found = carried(name, written)
        if found is None:
            return False
        op, value = found
        self.loops[-1].add(self.tracer, name, Sum(op, self.value(value, scope), in_place=False))
        return True


def _built_on(error: FollowingError | BuildsOnTurnsError, scope: Scope) -> str:
    """What the reference calls what a loop's turns build on; empty where that has no name, or is not what failed."""
    cause = error if isinstance(error, BuildsOnTurnsError) else error.__cause__
    if not isinstance(cause, BuildsOnTurnsError):
        return ""
    return cause.name or next((name for name, value in scope.items() if value is cause.array), "")


def _is_for_scripts(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == ...`."""
    return isinstance(node, ast.If) and any(
        isinstance(one, ast.Name) and one.id == "__name__" for one in ast.walk(node.test)
    )
