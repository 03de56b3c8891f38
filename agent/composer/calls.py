"""The NumPy functions and methods that the composer reads: an allow-list, and what each means."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence

from agent.composer.folding import binary, unary
from agent.composer.ir import Binary, Extent, Flatten, Literal, Matmul, Node, One, Reduce, Transpose, Where


class CallError(Exception):
    """A call is outside the allow-list, or is written in a way that the composer does not read."""


Options = Mapping[str, ast.expr]

NAMED_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "inf": math.inf}

_UNARY: Mapping[str, str] = {
    "exp": "exp", "log": "log", "sqrt": "sqrt", "tanh": "tanh", "abs": "abs", "absolute": "abs", "fabs":
    "abs", "negative": "neg", "logical_not": "not", "floor": "floor", "ceil": "ceil", "sin": "sin",
    "cos": "cos", "log1p": "log1p", "expm1": "expm1", "exp2": "exp2", "log2": "log2", "float": "real",
    "float32": "real", "float64": "real",
}  # fmt: skip
_BINARY: Mapping[str, str] = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "true_divide": "/", "power": "**",
    "pow": "**", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min", "greater": ">",
    "greater_equal": ">=", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=",
    "logical_and": "&", "logical_or": "|",
}  # fmt: skip
_REDUCTIONS: Mapping[str, str] = {
    "sum": "sum", "max": "max", "min": "min", "amax": "max", "amin": "min", "mean": "mean",
}  # fmt: skip
_FLOATS = frozenset({"float", "float32", "float64", "double"})


def call_function(name: str, arguments: Sequence[Node], options: Options) -> Node:
    """Translate `np.name(arguments, options)`."""
    if name in _REDUCTIONS or name in ("var", "std"):
        if not arguments or len(arguments) > 2:
            raise CallError("expected an array and maybe an axis")
        return _reduction(name, arguments[0], arguments[1:], options)
    if name == "reshape" or name == "astype":
        raise CallError("write it as a method: x.reshape(...), x.astype(...)")
    _no_options(options)
    if name in _UNARY:
        (operand,) = _exactly(1, arguments)
        return unary(_UNARY[name], operand)
    if name in _BINARY:
        left, right = _exactly(2, arguments)
        return binary(_BINARY[name], left, right)
    if name in _SPECIAL:
        count, build = _SPECIAL[name]
        return build(_exactly(count, arguments))
    raise CallError("the function is not in the composer's list")


def call_method(name: str, target: Node, arguments: Sequence[Node], options: Options) -> Node:
    """Translate `target.name(arguments, options)`."""
    if name in _REDUCTIONS or name in ("var", "std"):
        return _reduction(name, target, arguments, options)
    if name == "astype":
        return _astype(target, options)
    if name == "reshape":
        return _reshape(target, options)
    if name in ("dot", "transpose", "clip", "copy", "ravel", "flatten"):
        return call_function(name, [target, *arguments], options)
    raise CallError("the method is not in the composer's list")


def _reduction(name: str, operand: Node, positional: Sequence[Node], options: Options) -> Node:
    unknown = set(options) - {"axis", "keepdims", "dtype"}
    if unknown:
        raise CallError(f"the option {sorted(unknown)[0]} is not read")
    if len(positional) > 1 or (positional and "axis" in options):
        raise CallError("expected at most one axis")
    if "dtype" in options:
        _check_floating(options["dtype"])
    axis = _literal_axis(positional[0]) if positional else _axis(options.get("axis"))
    keepdims = _flag(options.get("keepdims"))
    if name not in ("var", "std"):
        return Reduce(operand, _REDUCTIONS[name], axis, keepdims)
    centred = Binary(operand, Reduce(operand, "mean", axis, keepdims=True), "-")
    variance = Reduce(Binary(centred, centred, "*"), "mean", axis, keepdims)
    return variance if name == "var" else unary("sqrt", variance)


def _literal_axis(node: Node) -> int:
    if isinstance(node, Literal) and isinstance(node.value, int):
        return node.value
    raise CallError("the axis must be a plain integer")


def _axis(node: ast.expr | None) -> int | None:
    match node:
        case None | ast.Constant(value=None):
            return None
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case _:
            raise CallError("the axis must be a plain integer")


def _flag(node: ast.expr | None) -> bool:
    match node:
        case None:
            return False
        case ast.Constant(value=bool(value)):
            return value
        case _:
            raise CallError("keepdims must be True or False")


def _check_floating(node: ast.expr) -> None:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if name not in _FLOATS:
        raise CallError("only conversions to float32 and float64 are read")


def _astype(target: Node, options: Options) -> Node:
    wanted = [value for key, value in options.items() if key in ("0", "dtype")]
    if len(options) != 1 or len(wanted) != 1:
        raise CallError("expected one dtype")
    _check_floating(wanted[0])
    return unary("real", target)


def _reshape(target: Node, options: Options) -> Node:
    match [options[key] for key in sorted(options)]:
        case [ast.Constant(value=1)] | [ast.Tuple(elts=[ast.Constant(value=1)])]:
            return One(target)
        case [ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))]:
            return Flatten(target)
        case _:
            raise CallError("only reshape(1) and reshape(-1) are read")


def _exactly(count: int, arguments: Sequence[Node]) -> Sequence[Node]:
    if len(arguments) != count:
        raise CallError(f"expected {count} arguments, got {len(arguments)}")
    return arguments


def _no_options(options: Options) -> None:
    if options:
        raise CallError(f"the option {sorted(options)[0]} is not read")


def _where(arguments: Sequence[Node]) -> Node:
    return Where(arguments[0], arguments[1], arguments[2])


def _clip(arguments: Sequence[Node]) -> Node:
    return Binary(Binary(arguments[0], arguments[1], "max"), arguments[2], "min")


_SPECIAL: Mapping[str, tuple[int, Callable[[Sequence[Node]], Node]]] = {
    "where": (3, _where),
    "clip": (3, _clip),
    "square": (1, lambda a: Binary(a[0], a[0], "*")),
    "reciprocal": (1, lambda a: Binary(Literal(1.0), a[0], "/")),
    "matmul": (2, lambda a: Matmul(a[0], a[1])),
    "dot": (2, lambda a: Matmul(a[0], a[1])),
    "vdot": (2, lambda a: Matmul(Flatten(a[0]), Flatten(a[1]))),
    "transpose": (1, lambda a: Transpose(a[0])),
    "ravel": (1, lambda a: Flatten(a[0])),
    "flatten": (1, lambda a: Flatten(a[0])),
    "copy": (1, lambda a: a[0]),
    "array": (1, lambda a: a[0]),
    "asarray": (1, lambda a: a[0]),
    "ascontiguousarray": (1, lambda a: a[0]),
    "atleast_1d": (1, lambda a: One(a[0])),
    "len": (1, lambda a: Extent(a[0], 0)),
}
