"""Builds nodes, folding constants in double precision and powers into products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from agent.composer.ir import Binary, Literal, Node, Unary

_FOLDED: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "sin": math.sin, "cos": math.cos,
}  # fmt: skip
_MAX_PRODUCT = 4


def unary(op: str, operand: Node) -> Node:
    """Apply a function of one value."""
    if isinstance(operand, Literal):
        if op == "neg":
            return Literal(-operand.value)
        if op == "real":
            return Literal(float(operand.value))
        if op in _FOLDED:
            try:
                return Literal(_FOLDED[op](operand.value))
            except (ValueError, OverflowError):
                return Unary(operand, op)
    return Unary(operand, op)


def binary(op: str, left: Node, right: Node) -> Node:
    """Apply a function of two values."""
    if isinstance(left, Literal) and isinstance(right, Literal):
        folded = _fold(op, left.value, right.value)
        if folded is not None:
            return Literal(folded)
    if op == "**" and isinstance(right, Literal):
        return _power(left, right)
    return Binary(left, right, op)


def _fold(op: str, left: float, right: float) -> float | None:
    try:
        match op:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case "/":
                result = left / right
            case "**":
                result = float(left) ** float(right)
            case _:
                return None
    except (ZeroDivisionError, OverflowError):
        return None
    if isinstance(result, complex) or (isinstance(result, int) and abs(result) >= 2**63):
        return None
    return result


def _power(base: Node, exponent: Literal) -> Node:
    """`x ** 2` is a product: a general power would cost tens of instructions."""
    if exponent.value == 0.5:
        return Unary(base, "sqrt")
    if isinstance(exponent.value, int) or exponent.value.is_integer():
        count = int(exponent.value)
        if 1 <= count <= _MAX_PRODUCT:
            product = base
            for _ in range(count - 1):
                product = Binary(product, base, "*")
            return product
    return Binary(base, exponent, "**")
