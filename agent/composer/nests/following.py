"""Follows a reference: its Python is interpreted on symbolic arrays, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from agent.composer.expressions import kind_of as kind_of_dtype
from agent.composer.ir import Literal
from agent.composer.nests import functions, indexing
from agent.composer.nests.arrays import Array, NotExpressed, Stage, Tracer
from agent.composer.nests.points import At
from agent.composer.nests.sizes import Size
from tools.tasks.task import Task

MAX_STEPS = 20_000
MAX_TURNS = 256
"""Turns of a loop over plain numbers, which are all followed."""


class FollowingError(Exception):
    """The reference is not expressed; the text names the line and the construct."""


@dataclass(frozen=True)
class Followed:
    """What a reference computes: the buffers on the way, and its outputs by name."""

    stages: tuple[Stage, ...]
    outputs: tuple[tuple[str, Array], ...]


class _Returned(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Jump(Exception):
    """`break` or `continue`."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass
class _Turns:
    """What a loop adds up: name to operation and values of one turn."""

    outer: set[str]
    own: set[str] = field(default_factory=set[str])
    sums: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])


Scope = dict[str, Any]


def follow(task: Task) -> Followed:
    """Follow the reference of a task.

    Raises:
        FollowingError: It does what nests cannot express.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(task.reference)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FollowingError(f"reference.py is not Python: {type(error).__name__}") from error
    return _Follower(task).follow(module)


class _Follower:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._tracer = Tracer()
        self._globals: Scope = {}
        self._steps = 0
        self._depth = 0
        self._loops: list[_Turns] = []

    def follow(self, module: ast.Module) -> Followed:
        at: ast.AST = module
        try:
            for at in module.body:
                if not isinstance(at, ast.If | ast.Expr):
                    self._statement(at, self._globals)
            function = self._globals.get("reference")
            if not isinstance(function, _Function):
                raise NotExpressed("no function `reference`")
            at = function.node
            result = self._call(function, [], self._inputs(function))
            return Followed(tuple(self._tracer.stages), self._outputs(result))
        except FollowingError:
            raise
        except (NotExpressed, RecursionError) as error:
            raise FollowingError(f"reference.py line {getattr(at, 'lineno', 1)}: {error}") from error

    def _inputs(self, function: _Function) -> dict[str, Any]:
        wanted = {
            one.arg for one in (*function.spec.posonlyargs, *function.spec.args, *function.spec.kwonlyargs)
        }
        known: dict[str, Any] = {name: Size.of(name) for name in self._task.dims}
        for argument in self._task.arguments:
            if argument.role != "out":
                shape = [functions.size_of(text) for text in argument.shape]
                kind = kind_of_dtype(argument.dtype.lstrip("u"))
                known[argument.name] = self._tracer.array(
                    shape, lambda index, name=argument.name, kind=kind: At(name, index, kind)
                )
        return {name: value for name, value in known.items() if name in wanted or function.spec.kwarg}

    def _outputs(self, result: Any) -> tuple[tuple[str, Array], ...]:
        if not isinstance(result, dict):
            raise NotExpressed("`reference` must return a dict {output name: value}")
        found = cast("dict[str, Any]", result)
        return tuple((name, functions.array_of(self._tracer, value)) for name, value in found.items())

    # ------------------------------------------------------------------ statements

    def _body(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self._statement(statement, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        try:
            self._follow(node, scope)
        except NotExpressed as error:
            raise FollowingError(f"reference.py line {node.lineno}: {error}") from error

    def _follow(self, node: ast.stmt, scope: Scope) -> None:
        self._step()
        match node:
            case ast.Import(names=names):
                for one in names:
                    scope[one.asname or one.name.split(".")[0]] = functions.module(one.name)
            case ast.ImportFrom(module=module, names=names):
                for one in names:
                    scope[one.asname or one.name] = functions.member(functions.module(module or ""), one.name)
            case ast.FunctionDef(args=spec, body=body):
                scope[node.name] = _Function(node, spec, body, scope)
            case ast.Return(value=value):
                raise _Returned(None if value is None else self._value(value, scope))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if self._is_outer(name):
                if not self._carries(name, value, scope):
                    scope[name] = self._value(value, scope)
            case ast.Assign(targets=targets, value=value):
                found = self._value(value, scope)
                for target in targets:
                    self._assign(target, found, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, self._value(value, scope), scope)
            case ast.AugAssign():
                self._augment(node, scope)
            case ast.For():
                self._for(node, scope)
            case ast.While():
                self._while(node, scope)
            case ast.If(test=test, body=body, orelse=orelse):
                self._body(body if self._decided(test, scope) else orelse, scope)
            case ast.With(body=body):
                self._body(body, scope)
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Assert() | ast.AnnAssign():
                pass
            case ast.Expr(value=value):
                self._value(value, scope)
            case ast.Break():
                raise _Jump("break")
            case ast.Continue():
                raise _Jump("continue")
            case _:
                raise NotExpressed(f"`{type(node).__name__}`")

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise NotExpressed(
                f"more than {MAX_STEPS} steps: loops over plain numbers are followed turn by turn"
            )

    def _decided(self, test: ast.expr, scope: Scope) -> bool:
        found = self._value(test, scope)
        if isinstance(found, Array):
            if isinstance(found.own, Literal):
                return bool(found.own.value)
            raise NotExpressed(
                "a branch that depends on data or on sizes; np.where chooses element by element"
            )
        return bool(found.terms if isinstance(found, Size) else found)

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                if self._is_outer(name):
                    raise NotExpressed(f"`{name}` changes from turn to turn of a loop over a size")
                scope[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                values = functions.items_of(value)
                if len(values) != len(targets):
                    raise NotExpressed(f"{len(values)} values for {len(targets)} names")
                for one, item in zip(targets, values, strict=True):
                    self._assign(one, item, scope)
            case ast.Subscript(value=owner, slice=items):
                array = self._value(owner, scope)
                key = self._value(items, scope)
                if isinstance(array, dict | list):
                    array[key] = value
                    return
                self._store(array, key, value, "")
            case _:
                raise NotExpressed(f"assignment to `{ast.unparse(target)}`")

    def _is_outer(self, name: str) -> bool:
        """Whether a loop over a size, which is being followed, found the name bound."""
        return bool(self._loops) and name in self._loops[-1].outer

    def _store(self, array: Any, items: Any, value: Any, op: str) -> None:
        if not isinstance(array, Array):
            raise NotExpressed(f"storing into a {type(array).__name__}")
        indexing.write(self._tracer, array, items, functions.array_of(self._tracer, value), op)

    def _augment(self, node: ast.AugAssign, scope: Scope) -> None:
        op = functions.OPERATORS[type(node.op)]
        value = self._value(node.value, scope)
        match node.target:
            case ast.Name(id=name):
                if self._is_outer(name):
                    self._add(name, op, value)
                    return
                before = self._name(name, scope)
                if isinstance(before, Array) and before.axes:
                    new = functions.arithmetic(self._tracer, op, before, value)
                    self._store(before, Ellipsis, new, "")
                else:
                    scope[name] = functions.arithmetic(self._tracer, op, before, value)
            case ast.Subscript(value=owner, slice=items):
                array, key = self._value(owner, scope), self._value(items, scope)
                if op in ("+", "-", "*"):
                    self._store(array, key, value, op)
                else:
                    old = indexing.read(self._tracer, array, key)
                    self._store(array, key, functions.arithmetic(self._tracer, op, old, value), "")
            case _:
                raise NotExpressed(f"`{ast.unparse(node.target)}` changed in place")

    # ------------------------------------------------------------------ loops

    def _for(self, node: ast.For, scope: Scope) -> None:
        turns = self._value(node.iter, scope)
        if isinstance(turns, functions.Range):
            numbers = turns.numbers()
            if numbers is None:
                self._symbolic(node, turns, scope)
                return
            turns = numbers
        values = functions.items_of(turns)
        if len(values) > MAX_TURNS:
            raise NotExpressed(f"a loop of {len(values)} turns; up to {MAX_TURNS} are followed")
        for value in values:
            self._assign(node.target, value, scope)
            try:
                self._body(node.body, scope)
            except _Jump as jump:
                if jump.word == "break":
                    return
        self._body(node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        for _ in range(MAX_TURNS):
            if not self._decided(node.test, scope):
                return
            try:
                self._body(node.body, scope)
            except _Jump as jump:
                if jump.word == "break":
                    return
        raise NotExpressed(f"a loop of more than {MAX_TURNS} turns")

    def _symbolic(self, node: ast.For, turns: functions.Range, scope: Scope) -> None:
        """Follow the body once: what it stores is stored at every turn, what it adds up is summed over them."""
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise NotExpressed("a loop over a size with several names or an `else`")
        loop = self._tracer.axis(turns.count)
        here = _Turns(set(scope) - {node.target.id})
        self._tracer.enter(loop)
        self._loops.append(here)
        known = set(scope)
        try:
            scope[node.target.id] = turns.start + Size.of(loop) * turns.step
            self._body(node.body, scope)
        except _Jump as jump:
            raise NotExpressed(f"`{jump.word}` in a loop over a size") from jump
        finally:
            self._loops.pop()
            self._tracer.leave()
        for name in set(scope) - known | {node.target.id} | here.own:
            scope.pop(name, None)
        for name, (op, value) in here.sums.items():
            total = functions.over_turns(self._tracer, op, functions.array_of(self._tracer, value), loop)
            if self._loops and name in self._loops[-1].outer:
                self._add(name, op, total)
            else:
                scope[name] = functions.arithmetic(self._tracer, op, self._name(name, scope), total)

    def _carries(self, name: str, written: ast.expr, scope: Scope) -> bool:
        """Take `name = name + value` and the like, in a loop over a size; a name that starts anew is each turn's own."""
        turns = self._loops[-1]
        if name not in turns.sums and not any(
            isinstance(x, ast.Name) and x.id == name for x in ast.walk(written)
        ):
            turns.outer.discard(name)
            turns.own.add(name)
            return False
        match written:
            case ast.BinOp(left=ast.Name(id=same), op=op, right=value) if (
                same == name and type(op) in _CARRIED
            ):
                self._add(name, _CARRIED[type(op)], self._value(value, scope))
            case ast.BinOp(left=value, op=ast.Add(), right=ast.Name(id=same)) if same == name:
                self._add(name, "+", self._value(value, scope))
            case ast.Call(func=func, args=[ast.Name(id=same), value]) if same == name and _extreme(func):
                self._add(name, _extreme(func), self._value(value, scope))
            case _:
                raise NotExpressed(f"`{name}` changes from turn to turn of a loop over a size")
        return True

    def _add(self, name: str, op: str, value: Any) -> None:
        sums = self._loops[-1].sums
        if op not in ("+", "-", "*", "max", "min"):
            raise NotExpressed(f"`{name} {op}= ...` in a loop over a size")
        if name not in sums:
            sums[name] = (op, value)
            return
        before, old = sums[name]
        if before != op:
            raise NotExpressed(f"`{name}` is changed in two ways in one loop")
        sums[name] = (op, functions.arithmetic(self._tracer, "+" if op in "+-" else op, old, value))

    # ------------------------------------------------------------------ expressions

    def _name(self, name: str, scope: Scope) -> Any:
        if self._loops and name in self._loops[-1].sums:
            raise NotExpressed(f"`{name}` is read while a loop adds it up")
        for place in (scope, self._globals):
            if name in place:
                return place[name]
        return functions.built_in(name)

    def _value(self, node: ast.expr, scope: Scope) -> Any:
        self._step()
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._name(name, scope)
            case ast.Tuple(elts=items):
                return tuple(self._items(items, scope))
            case ast.List(elts=items):
                return list(self._items(items, scope))
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return {self._value(key, scope): self._value(value, scope) for key, value in pairs if key}
            case ast.UnaryOp(op=op, operand=operand):
                return functions.negated(self._tracer, type(op), self._value(operand, scope))
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._value(left, scope), self._value(right, scope))
            case ast.BoolOp(op=op, values=values):
                return self._logical(op, values, scope)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._compare(left, ops, comparators, scope)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._value(body if self._decided(test, scope) else orelse, scope)
            case ast.Attribute(value=owner, attr=name):
                return functions.attribute(self._tracer, self._value(owner, scope), name)
            case ast.Subscript(value=owner, slice=items):
                return functions.subscript(self._tracer, self._value(owner, scope), self._value(items, scope))
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(
                    *(None if part is None else self._value(part, scope) for part in (lower, upper, step))
                )
            case ast.Call():
                return self._called(node, scope)
            case ast.Lambda(args=spec, body=body):
                return _Function(node, spec, [ast.Return(body, lineno=node.lineno)], scope)
            case ast.ListComp(elt=item, generators=[one]) | ast.GeneratorExp(elt=item, generators=[one]):
                return self._comprehension(item, one, scope)
            case ast.JoinedStr():
                return ""
            case _:
                raise NotExpressed(f"`{ast.unparse(node)[:60]}`")

    def _items(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found += functions.items_of(self._value(node.value, scope))
            else:
                found.append(self._value(node, scope))
        return found

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        return functions.arithmetic(self._tracer, functions.OPERATORS[type(op)], left, right)

    def _logical(self, op: ast.boolop, values: Sequence[ast.expr], scope: Scope) -> Any:
        result: Any = isinstance(op, ast.And)
        for value in values:
            result = self._decided(value, scope)
            if result != isinstance(op, ast.And):
                break
        return result

    def _compare(
        self, left: ast.expr, ops: Sequence[ast.cmpop], comparators: Sequence[ast.expr], scope: Scope
    ) -> Any:
        first = self._value(left, scope)
        result: Any = True
        for op, node in zip(ops, comparators, strict=True):
            second = self._value(node, scope)
            one = functions.comparison(self._tracer, op, first, second)
            result = one if result is True else functions.arithmetic(self._tracer, "&", result, one)
            first = second
        return result

    def _comprehension(self, item: ast.expr, one: ast.comprehension, scope: Scope) -> list[Any]:
        turns = self._value(one.iter, scope)
        numbers = turns.numbers() if isinstance(turns, functions.Range) else turns
        if numbers is None:
            raise NotExpressed("a list as long as a size")
        inner, found = dict(scope), list[Any]()
        for value in functions.items_of(numbers):
            self._assign(one.target, value, inner)
            if all(self._decided(test, inner) for test in one.ifs):
                found.append(self._value(item, inner))
        return found

    def _called(self, node: ast.Call, scope: Scope) -> Any:
        function = self._value(node.func, scope)
        arguments = self._items(node.args, scope)
        words = {word.arg: self._value(word.value, scope) for word in node.keywords if word.arg}
        if isinstance(function, _Function):
            return self._call(function, arguments, words)
        if not callable(function):
            raise NotExpressed(f"the call `{ast.unparse(node)[:60]}`")
        try:
            return cast("Callable[..., Any]", function)(self._tracer, *arguments, **words)
        except (TypeError, AttributeError, ValueError, KeyError, IndexError) as error:
            raise NotExpressed(f"`{ast.unparse(node)[:60]}` is written in a way that is not read") from error

    def _call(self, function: _Function, arguments: Sequence[Any], words: Mapping[str, Any]) -> Any:
        self._depth += 1
        if self._depth > 30:
            raise NotExpressed("functions that call each other more than 30 deep")
        loops, self._loops = self._loops, []
        try:
            scope = function.bound(arguments, words, lambda node: self._value(node, function.scope))
            self._body(function.body, scope)
        except _Returned as returned:
            return returned.value
        finally:
            self._depth -= 1
            self._loops = loops
        return None


_CARRIED = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def _extreme(node: ast.expr) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return {"maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min", "max": "max", "min": "min"}.get(
        name, ""
    )


@dataclass(frozen=True, eq=False)
class _Function:
    """A function of the reference's own."""

    node: ast.AST
    spec: ast.arguments
    body: Sequence[ast.stmt]
    scope: Scope

    def bound(
        self, arguments: Sequence[Any], words: Mapping[str, Any], value: Callable[[ast.expr], Any]
    ) -> Scope:
        """Its names when it is called so."""
        spec = self.spec
        names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
        scope = dict(self.scope) if self.scope.get("reference") is None else {}
        defaults = dict(zip(names[len(names) - len(spec.defaults) :], spec.defaults, strict=True))
        for one, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if default is not None:
                defaults[one.arg] = default
        scope.update({name: value(default) for name, default in defaults.items()})
        scope.update(zip(names, arguments, strict=False))
        if spec.vararg:
            scope[spec.vararg.arg] = tuple(arguments[len(names) :])
        scope.update({name: given for name, given in words.items()})
        missing = [name for name in names if name not in scope]
        if missing:
            raise NotExpressed(f"a call without `{missing[0]}`")
        return scope
