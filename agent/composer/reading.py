"""Reads a task's `reference.py` into the composer's tree: its Python is parsed, never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agent.composer.calls import NAMED_CONSTANTS, CallError, call_function, call_method
from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Dim, Expand, Extent, Leaf, Literal, Matmul, Node, Transpose
from sandbox.syntax_trees import syntax_tree

MAX_SIZE = 2000
MAX_DEPTH = 100

_OPERATORS: Mapping[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|",
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_UNARY: Mapping[type[ast.unaryop], str] = {ast.USub: "neg", ast.Invert: "not"}


class ReadingError(Exception):
    """The reference holds something that the composer does not understand; the text names the line."""


@dataclass(frozen=True)
class Reading:
    """What a reference returns.

    Attributes:
        outputs: Output name and its value, in the order written.
        labels: Values that the reference gave a name to; kernels use the same names.
    """

    outputs: tuple[tuple[str, Node], ...]
    labels: tuple[tuple[Node, str], ...]


def read(text: str, inputs: Collection[str], dims: Collection[str]) -> Reading:
    """Read the text of a reference.py.

    Args:
        text: Python source with a function `reference`.
        inputs: Names of the task's inputs and scalars.
        dims: Names of the task's dims.

    Raises:
        ReadingError: Something is not understood.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = syntax_tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ReadingError(f"reference.py is not Python: {type(error).__name__}") from error
    return _ReferenceReader(inputs, dims).module(module)


def _fail(node: ast.AST, what: str) -> ReadingError:
    return ReadingError(f"reference.py line {getattr(node, 'lineno', '?')}: {what}")


def _show(node: ast.AST) -> str:
    return f"`{type(node).__name__}`" if isinstance(node, ast.stmt) else f"`{ast.unparse(node)[:60]}`"


class _ReferenceReader:
    def __init__(self, inputs: Collection[str], dims: Collection[str]) -> None:
        self._known: dict[str, Node] = {}
        self._known.update((name, Leaf(name)) for name in inputs)
        self._known.update((name, Dim(name)) for name in dims)
        self._modules: set[str] = set()
        self._names: dict[str, Node] = {}
        self._labels: list[tuple[Node, str]] = []
        self._depth = 0

    def module(self, module: ast.Module) -> Reading:
        function: ast.FunctionDef | None = None
        for statement in module.body:
            match statement:
                case ast.Import(names=names):
                    self._modules |= {n.asname or n.name for n in names if n.name in ("numpy", "math")}
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant() as value):
                    self._names[name] = self._constant(value)
                case ast.FunctionDef(name="reference"):
                    function = statement
                case _:
                    pass  # what is not reached from `reference` does not matter
        if function is None:
            raise ReadingError("reference.py has no function `reference`")
        return self._function(function)

    def _function(self, function: ast.FunctionDef) -> Reading:
        spec = function.args
        if spec.defaults or any(spec.kw_defaults) or spec.vararg:
            raise _fail(function, "defaults and *args in the signature are not understood")
        names = [argument.arg for argument in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        for name in names:
            self._names.pop(name, None)
            if name in self._known:
                self._names[name] = self._known[name]
        outputs = self._body(function.body)
        if not outputs:
            raise _fail(function, "`reference` has no return of a dict {output name: value}")
        return Reading(outputs, tuple(self._labels))

    def _body(self, body: list[ast.stmt]) -> tuple[tuple[str, Node], ...]:
        for statement in body:
            match statement:
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    continue
                case ast.With(items=[ast.withitem(ast.Call(func=ast.Attribute(attr="errstate")), None)]):
                    if outputs := self._body(statement.body):
                        return outputs
                case ast.Return(value=value):
                    return self._outputs(statement, value)
                case _:
                    self._assignment(statement)
        return ()

    def _assignment(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._bind(name, self.value(value))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._bind(name, self.value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if type(op) in _OPERATORS:
                before = self._name(statement, name)
                if isinstance(before, Leaf):
                    raise _fail(statement, f"`{name}` is an input and is changed in place")
                self._bind(name, binary(_OPERATORS[type(op)], before, self.value(value)))
            case ast.Assign(
                targets=[ast.Tuple(elts=targets)], value=ast.Attribute(value=array, attr="shape")
            ):
                node = self.value(array)
                for axis, target in enumerate(targets):
                    if not isinstance(target, ast.Name):
                        raise _fail(statement, f"assignment to {_show(target)} is not understood")
                    self._names[target.id] = Extent(node, axis)
            case _:
                raise _fail(statement, f"{_show(statement)} is not understood")

    def _bind(self, name: str, node: Node) -> None:
        self._names[name] = node
        if node.children:
            self._labels.append((node, name))

    def _outputs(self, statement: ast.stmt, value: ast.expr | None) -> tuple[tuple[str, Node], ...]:
        match value:
            case ast.Dict(keys=keys, values=values):
                pairs: list[tuple[str, ast.expr]] = []
                for key, item in zip(keys, values, strict=True):
                    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                        raise _fail(statement, "the keys of the returned dict must be plain strings")
                    pairs.append((key.value, item))
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                pairs = [(keyword.arg or "", keyword.value) for keyword in keywords]
            case _:
                raise _fail(statement, "`reference` must return a dict {output name: value}")
        return tuple((name, self.value(item)) for name, item in pairs)

    def value(self, node: ast.expr) -> Node:
        """Translate one Python expression."""
        if self._depth > MAX_DEPTH:
            raise _fail(node, "the expression is nested too deeply")
        self._depth += 1
        try:
            result = self._value(node)
        except CallError as error:
            raise _fail(node, f"{_show(node)} is not understood: {error}") from error
        finally:
            self._depth -= 1
        if result.size > MAX_SIZE or result.depth > MAX_DEPTH:
            raise _fail(node, "the expression is too large for the composer")
        return result

    def _value(self, node: ast.expr) -> Node:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return unary(_UNARY[type(op)], self.value(operand))
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return Matmul(self.value(left), self.value(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return binary(_OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return Binary(self.value(left), self.value(right), _COMPARISONS[type(op)])
            case ast.Call():
                return self._call(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
            case _:
                raise _fail(node, f"{_show(node)} is not understood")

    def _constant(self, node: ast.Constant) -> Node:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _fail(node, f"{type(value).__name__} constants are not understood")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise _fail(node, "an integer constant needs more than 64 bits")
        return Literal(value)

    def _name(self, node: ast.AST, name: str) -> Node:
        if name not in self._names:
            raise _fail(node, f"`{name}` is not known here")
        return self._names[name]

    def _is_module(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._modules and node.id not in self._names

    def _attribute(self, node: ast.Attribute) -> Node:
        if self._is_module(node.value) and node.attr in NAMED_CONSTANTS:
            return Literal(NAMED_CONSTANTS[node.attr])
        if not self._is_module(node.value):
            if node.attr == "T":
                return Transpose(self.value(node.value))
            if node.attr == "size":
                return Extent(self.value(node.value), None)
        raise _fail(node, f"{_show(node)} is not understood")

    def _subscript(self, node: ast.Subscript) -> Node:
        match node:
            case ast.Subscript(value=ast.Attribute(value=array, attr="shape"), slice=axis):
                return Extent(self.value(array), self._integer(axis))
            case ast.Subscript(slice=ast.Tuple(elts=elements)):
                return Expand(
                    self.value(node.value), tuple(self._is_new_axis(element) for element in elements)
                )
            case _:
                raise _fail(node, f"indexing {_show(node)} is not understood")

    def _is_new_axis(self, element: ast.expr) -> bool:
        match element:
            case ast.Slice(lower=None, upper=None, step=None):
                return False
            case ast.Constant(value=None):
                return True
            case ast.Attribute(value=module, attr="newaxis") if self._is_module(module):
                return True
            case _:
                raise _fail(element, "only `:` and `None` are understood as indices")

    def _integer(self, node: ast.expr) -> int:
        value = self.value(node)
        if not isinstance(value, Literal) or not isinstance(value.value, int):
            raise _fail(node, f"{_show(node)} must be a plain integer")
        return value.value

    def _call(self, node: ast.Call) -> Node:
        options = {word.arg: word.value for word in node.keywords if word.arg is not None}
        if len(options) != len(node.keywords):
            raise _fail(node, "`**` in a call is not understood")
        match node.func:
            case ast.Attribute(value=owner, attr=name) if self._is_module(owner):
                if (
                    name in ("array", "asarray")
                    and len(node.args) == 1
                    and isinstance(node.args[0], ast.List)
                ):
                    name, arguments = "atleast_1d", self._single(node.args[0])
                else:
                    arguments = [self.value(item) for item in self._plain(node, name)]
                return call_function(name, arguments, self._axis_options(name, node, options))
            case ast.Attribute(value=owner, attr=name):
                target = self.value(owner)
                operands = [self.value(item) for item in self._plain(node, name)]
                return call_method(name, target, operands, self._axis_options(name, node, options))
            case ast.Name(id="float" | "abs" | "len" as name):
                return call_function(name, [self.value(item) for item in node.args], options)
            case _:
                raise _fail(node, f"the call {_show(node)} is not understood")

    def _single(self, node: ast.List) -> list[Node]:
        if len(node.elts) != 1:
            raise _fail(node, "only a list of one value is understood")
        return [self.value(node.elts[0])]

    def _plain(self, node: ast.Call, name: str) -> list[ast.expr]:
        """Leave out the arguments that are not values: dtypes and shapes; the call's own check reads them."""
        return [] if name in ("astype", "reshape") else node.args

    def _axis_options(self, name: str, node: ast.Call, options: dict[str, ast.expr]) -> dict[str, ast.expr]:
        if name in ("astype", "reshape"):
            return options | {str(position): argument for position, argument in enumerate(node.args)}
        return options
