"""Expressions of kernel files as C++ and as Python, for any sizes, with the same values as `tools.expressions` gives.

The C++ is over `integer` of the launcher's header: 64 bits, every operation checked, `//` and `%` rounding down.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from sandbox.syntax_trees import syntax_tree
from tools.expressions import Expression

_PYTHON: Mapping[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
_COMPARED: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def cpp(expression: Expression) -> str:
    """Return an expression as C++ of type `integer`; names are those of `local_name`."""
    return _cpp(_tree(expression))


def python(expression: Expression) -> str:
    """Return an expression as Python; `ceil_div`, `next_pow2` and `log2` are the generated module's own."""
    return _python(_tree(expression))


def local_name(name: str) -> str:
    """Return what a dim, a setting or a buffer is called in either language: no keyword, macro or builtin ends so."""
    return f"{name}_"


def _tree(expression: Expression) -> ast.expr:
    return syntax_tree(expression.text, mode="eval").body


def _cpp(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=value):
            return f"integer({value}LL)"
        case ast.Name(id=name):
            return local_name(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_cpp(operand)}"
        case ast.UnaryOp(operand=operand):
            return _cpp(operand)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return f"floor_div({_cpp(left)}, {_cpp(right)})"
        case ast.BinOp(left=left, op=op, right=right):
            return f"({_cpp(left)} {_PYTHON[type(op)]} {_cpp(right)})"
        case ast.Compare():
            return _compared(node)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({_cpp(test)} ? {_cpp(body)} : {_cpp(orelse)})"
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=arguments):
            return f"{name}_of({{{', '.join(map(_cpp, arguments))}}})"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return f"{name}({', '.join(map(_cpp, arguments))})"
        case _:
            raise AssertionError(ast.dump(node))


def _compared(node: ast.Compare) -> str:
    """Return a comparison; of a chain each operand is evaluated once, and none behind the first that is false."""
    operands = [_cpp(part) for part in (node.left, *node.comparators)]
    signs = [_COMPARED[type(op)] for op in node.ops]
    if len(signs) == 1:
        return f"integer({operands[0]} {signs[0]} {operands[1]})"
    lines = [f"integer left = {operands[0]};"]
    for sign, operand in zip(signs, operands[1:], strict=True):
        lines.append(
            f"{{ const integer right = {operand}; if (!(left {sign} right)) return integer(0); left = right; }}"
        )
    return f"[&] {{ {' '.join(lines)} return integer(1); }}()"


def _python(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name):
            return local_name(name)
        case ast.UnaryOp(op=op, operand=operand):
            return f"(-{_python(operand)})" if isinstance(op, ast.USub) else _python(operand)
        case ast.BinOp(left=left, op=op, right=right):
            return f"({_python(left)} {_PYTHON[type(op)]} {_python(right)})"
        case ast.Compare(left=left, ops=ops, comparators=rest):
            pairs = zip(ops, rest, strict=True)
            signs = " ".join(f"{_COMPARED[type(op)]} {_python(part)}" for op, part in pairs)
            return f"int({_python(left)} {signs})"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return f"({_python(body)} if {_python(test)} else {_python(orelse)})"
        case ast.Call(func=ast.Name(id="min" | "max" as name), args=[only]):
            return f"{name}([{_python(only)}])"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return f"{name}({', '.join(map(_python, arguments))})"
        case _:
            raise AssertionError(ast.dump(node))
