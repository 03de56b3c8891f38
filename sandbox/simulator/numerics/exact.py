"""Float64 arithmetic by fractions, for the few lanes near the ends of the range where error terms underflow."""

# Lambdas of two or three fractions behind one `Callable[..., Fraction]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import F64

_BIG, _TINY = 2.0**990, 2.0**-950
_FUNCTIONS: dict[str, Callable[..., Fraction]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "fma": lambda a, b, c: a * b + c,
}


def hard_lanes(operands: tuple[Array, ...], product: Array) -> Array:
    """Lanes with finite operands whose product or quotient leaves the range where its error is a float64 too."""
    sizes = [np.abs(operand) for operand in operands]
    finite = np.isfinite(sum(operand * 0 for operand in operands))
    largest = np.maximum(np.maximum.reduce(np.broadcast_arrays(*sizes)), np.abs(product))
    smallest = np.minimum.reduce(np.broadcast_arrays(np.abs(product), *sizes[:2]))
    nonzero = (sizes[0] != 0) & (sizes[1] != 0)
    return finite & nonzero & (~(largest < _BIG) | (smallest < _TINY))


def settle(name: str, operands: tuple[Array, ...], result: Array, lanes: Array, mode: str) -> Array:
    """Recompute `name` in some lanes exactly and round once; the other lanes keep `result`.

    Args:
        name: add, sub, mul, div or fma.
        operands: Float64.
        result: What the other lanes keep; its lanes decide signs of zero.
        lanes: Which to recompute, bool.
        mode: rn (or empty), rz, rm (down) or rp (up).
    """
    shape = np.broadcast_shapes(lanes.shape, result.shape, *(operand.shape for operand in operands))
    settled = np.broadcast_to(result, shape).copy()
    wide = [np.broadcast_to(operand, shape) for operand in operands]
    for index in zip(*np.nonzero(np.broadcast_to(lanes, shape)), strict=True):
        values = [Fraction(float(operand[index])) for operand in wide]
        if name != "div" or values[1]:
            exact = _FUNCTIONS[name](*values)
            settled[index] = round_fraction(exact, mode) if exact else settled[index]
    return settled


def round_fraction(exact: Fraction, mode: str) -> float:
    """A nonzero fraction as float64, rounded as asked."""
    try:
        nearest = float(exact)
    except OverflowError:
        nearest = math.inf if exact > 0 else -math.inf
    error = 1 if nearest == -math.inf else -1 if nearest == math.inf else _compare(exact, nearest)
    if mode == "rp" or (mode == "rz" and exact < 0):
        nearest = math.nextafter(nearest, math.inf) if error > 0 else nearest
    elif mode in {"rm", "rz"}:
        nearest = math.nextafter(nearest, -math.inf) if error < 0 else nearest
    return abs(nearest) if exact > 0 else -abs(nearest)


def _compare(exact: Fraction, value: float) -> int:
    other = Fraction(value)
    return (exact > other) - (exact < other)


def root_error(value: Array, root: Array) -> Array:
    """The sign of sqrt(value) - root, float64, exactly."""

    def sign(x: Any, r: Any) -> int:
        return (
            _compare(Fraction(float(x)), 0.0)
            if not r
            else _sign(Fraction(float(x)) - Fraction(float(r)) ** 2)
        )

    pairs = zip(value.reshape(-1), root.reshape(-1), strict=True)
    return np.array([sign(x, r) if math.isfinite(x) and x > 0 else 0 for x, r in pairs], F64).reshape(
        value.shape
    )


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)
