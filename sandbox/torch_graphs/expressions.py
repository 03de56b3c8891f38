"""Sizes that PyTorch knows as sympy's expressions, in the language of tasks; in the worker."""

from __future__ import annotations

import importlib
from typing import Any

sympy: Any = importlib.import_module("sympy")


class NoExpressionError(Exception):
    """A size has no expression in the language of tasks."""


def expression(value: Any) -> Any:
    """Return a size, whether a plain number or one of PyTorch's, as sympy has it."""
    return sympy.Integer(value) if isinstance(value, int) else value.node.expr


def text_of(value: Any) -> str:
    """Print an expression.

    Raises:
        NoExpressionError: The language of tasks cannot say it.
    """
    if value.is_Integer or value.is_Symbol:
        return str(value)
    name = type(value).__name__
    if value.is_Add:
        return _sum(value)
    if value.is_Mul:
        return _product(value)
    if value.is_Pow and value.exp.is_Integer and value.exp > 0:
        return " * ".join([_factor(value.base)] * int(value.exp))
    if name in ("FloorDiv", "CleanDiv"):
        return f"{_factor(value.args[0])} // {_factor(value.args[1])}"
    if name in ("Mod", "PythonMod"):
        return f"{_factor(value.args[0])} % {_factor(value.args[1])}"
    if name in ("Max", "Min"):
        return f"{name.lower()}({', '.join(map(text_of, value.args))})"
    raise NoExpressionError(f"a size of {value}")


def _product(value: Any) -> str:
    """A product; a fraction of what its divisor is known to divide is a floor of the same value."""
    above, below = value.as_numer_denom()
    if below == 1:
        return " * ".join(map(_factor, value.args))
    return f"{_factor(above)} // {_factor(below)}"


def _factor(value: Any) -> str:
    text = text_of(value)
    return text if value.is_Symbol or (value.is_Integer and value >= 0) else f"({text})"


def _sum(value: Any) -> str:
    text = ""
    for term in sorted(value.args, key=lambda one: bool(one.could_extract_minus_sign())):
        if term.could_extract_minus_sign():
            text += f" - {_term(-term)}" if text else f"-{_factor(-term)}"
        else:
            text += f" + {_term(term)}" if text else _term(term)
    return text


def _term(value: Any) -> str:
    return f"({text_of(value)})" if value.is_Add else text_of(value)
