"""Packed halves and bfloat16 (PTX ISA 9.0, section 9.7.4)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, refuse, same
from sandbox.simulator.numerics.approximate import ACCURACIES, Approximation
from sandbox.simulator.numerics.rounding import bf16_to_f32, f32_to_bf16, f64_to_odd_f32, fma_to_odd, relu
from sandbox.simulator.ptx.types import F16, F64, U16, U32

Function = Callable[..., Array]


@dataclass(frozen=True)
class SixteenBit:
    """A 16-bit float format: its bits to float64 and a float64 back, rounded once to nearest even."""

    widen: Callable[[Array], Array]
    narrow: Callable[[Array], Array]


HALF = SixteenBit(lambda bits: bits.view(F16).astype(F64), lambda value: value.astype(F16).view(U16))
BFLOAT = SixteenBit(
    lambda bits: bf16_to_f32(bits).astype(F64), lambda value: f32_to_bf16(f64_to_odd_f32(value))
)


def _minimum(a: Array, b: Array) -> Array:
    return np.where((a == b) & np.signbit(a), a, np.fmin(a, b))


def _maximum(a: Array, b: Array) -> Array:
    return np.where((a == b) & np.signbit(a), b, np.fmax(a, b))


_FUNCTIONS: dict[str, tuple[int, Function]] = {
    "add": (2, np.add),
    "sub": (2, np.subtract),
    "mul": (2, np.multiply),
    "fma": (3, fma_to_odd),
    "min": (2, _minimum),
    "max": (2, _maximum),
    "neg": (1, np.negative),
    "abs": (1, np.abs),
    "ex2": (1, np.exp2),
    "tanh": (1, np.tanh),
}


def _integer_function(m: Modifiers, name: str) -> Function:
    functions: dict[str, Function] = {"add": np.add, "min": np.minimum, "max": np.maximum}
    if name not in functions:
        raise refuse(f"packed {name}")
    plain = functions[name]
    return (lambda a, b: np.maximum(plain(a, b), a.dtype.type(0))) if "relu" in m else plain


def packed_formula(m: Modifiers, name: str) -> Formula:
    """Arithmetic on f16x2, bf16x2, bf16, u16x2 or s16x2; every 16-bit lane in float64, rounded once."""
    kind = m.type
    if kind.name in {"u16x2", "s16x2"}:
        lane = np.dtype("int16" if kind.name == "s16x2" else "uint16")
        function = _integer_function(m, name)
        return same(
            kind, 2, lambda *x: join(*(_apply_integer(function, lane, x, high) for high in (False, True)))
        )
    if "xorsign" in m or "oob" in m:
        raise refuse(f"{name}." + ".".join(m.parts))
    count, function = _FUNCTIONS[name]
    function = _bounded(function, m)
    brain = kind.name.startswith("bf16")
    form = BFLOAT if brain else HALF

    def one(*operands: Array) -> Array:
        return form.narrow(function(*(form.widen(value) for value in operands)))

    plain = same(kind, count, one if kind.bits == 16 else _both_halves(one))
    full = f"{name}.{'bf16' if brain else 'f16'}"
    if full not in ACCURACIES:
        return plain
    fraction, least = (7, -126) if brain else (10, -14)
    approximation = Approximation(full, function, form.widen, form.narrow, "uint16", fraction, least)

    def approximate(seed: int, *operands: Array) -> Array:
        compute = partial(approximation.compute, seed)
        return (compute if kind.bits == 16 else _both_halves(compute))(*operands)

    return Formula(plain.sources, plain.result, plain.function, approximate)


def _both_halves(function: Function) -> Function:
    """A function of 16-bit values applied to the low and to the high halves of 32-bit ones."""

    def packed(*operands: Array) -> Array:
        halves = (function(*(split(value, high) for value in operands)) for high in (False, True))
        return join(*halves)

    return packed


def _bounded(function: Function, m: Modifiers) -> Function:
    if "NaN" in m:
        plain = function
        function = lambda *x: np.where(np.isnan(x[0]) | np.isnan(x[1]), np.nan, plain(*x))  # noqa: E731
    if "relu" in m:
        signed = function
        function = lambda *x: relu(signed(*x))  # noqa: E731
    if "sat" in m:
        unbounded = function
        function = lambda *x: np.nan_to_num(np.clip(unbounded(*x), 0.0, 1.0), nan=0.0)  # noqa: E731
    return function


def split(value: Array, high: bool) -> Array:
    """One 16-bit half of a 32-bit register, uint16."""
    return (value >> np.uint32(16) if high else value & np.uint32(0xFFFF)).astype(U16)


def join(low: Array, high: Array) -> Array:
    """Two 16-bit halves to one 32-bit value, uint32."""
    return low.astype(U32) | high.astype(U32) << np.uint32(16)


def _apply_integer(
    function: Function, lane: np.dtype[np.generic], operands: tuple[Array, ...], high: bool
) -> Array:
    return function(*(split(value, high).view(lane) for value in operands)).view(U16)
