"""Floating point arithmetic (PTX ISA 9.0, sections 9.7.3 and 9.7.4)."""

# Formulas are lambdas of one to four arrays behind one `Callable[..., Array]`: their parameters carry no types.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.device import Array
from sandbox.simulator.instructions.catalogue import Formula, Modifiers, formula, refuse, same
from sandbox.simulator.instructions.half import packed_formula
from sandbox.simulator.numerics.approximate import Approximation
from sandbox.simulator.numerics.exact import hard_lanes, root_error, settle, two_product, two_sum
from sandbox.simulator.numerics.rounding import (
    directed,
    flush,
    fma32,
    fma64,
    relu,
    saturate,
)
from sandbox.simulator.ptx.types import F64, TYPES, PtxType

Function = Callable[..., Array]


def _pick(a: Array, b: Array, larger: bool) -> Array:
    """IEEE minNum/maxNum with -0 below +0: equal values differ at most in the sign bit of zero."""
    unsigned = np.dtype(f"uint{a.dtype.itemsize * 8}")
    function, combine = (np.fmax, np.bitwise_and) if larger else (np.fmin, np.bitwise_or)
    signed_zero = combine(a.view(unsigned), b.view(unsigned)).view(a.dtype)
    return np.where(a == b, signed_zero, function(a, b))


def _propagate(function: Function) -> Function:
    return lambda a, b: np.where(np.isnan(a) | np.isnan(b), a.dtype.type(np.nan), function(a, b))


_NEAREST: dict[str, Function] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "min": lambda a, b: _pick(a, b, larger=False),
    "max": lambda a, b: _pick(a, b, larger=True),
}
_UNARY = frozenset({"neg", "abs"})


def float_formula(m: Modifiers, name: str) -> Formula:
    """Add, sub, mul, div, fma, min, max, neg, abs for f16, f32, f64 with rounding, .ftz, .sat and .NaN."""
    kind = m.type
    if "xorsign" in m or "oob" in m:
        raise refuse(f"{name}." + ".".join(m.parts))
    count = 3 if name == "fma" else 1 if name in _UNARY else 2
    mode = m.rounding
    if name == "div" and ("approx" in m or "full" in m):
        return _approximate(m, f"div.{m.parts[0]}", _quotient if "approx" in m else np.divide, count)
    if mode in {"rz", "rm", "rp"}:
        function = _directed_function(kind, name, mode)
    elif name == "fma":
        function = _fma(kind)
    else:
        function = _NEAREST[name]
    if "NaN" in m:
        function = _propagate(function)
    return same(kind, count, _decorate(function, m))


def _decorate(function: Function, m: Modifiers) -> Function:
    if "relu" in m:
        plain = function
        function = lambda *x: relu(plain(*x))  # noqa: E731
    if "ftz" in m:
        exact = function
        function = lambda *x: flush(exact(*(flush(v) for v in x)))  # noqa: E731
    if "sat" in m:
        unbounded = function
        function = lambda *x: saturate(unbounded(*x))  # noqa: E731
    return function


def _fma(kind: PtxType) -> Function:
    if kind.bits == 64:
        return fma64
    if kind.bits == 32:
        return fma32
    return lambda a, b, c: (a.astype(F64) * b.astype(F64) + c.astype(F64)).astype(np.float16)


def _directed_function(kind: PtxType, name: str, mode: str) -> Function:
    """Exact value and error in float64, then the neighbour that the mode asks for."""
    if kind.bits == 16:
        raise refuse(f"{name}.{mode}.{kind.name}")

    short = name == "fma" and kind.bits == 32  # the product of two of them is exact in float64

    def rounded(*operands: Array) -> Array:
        wide = tuple(np.asarray(x).astype(F64) for x in operands)
        exact, error = two_sum(wide[0] * wide[1], wide[2]) if short else _with_error(name, wide)
        known = np.isfinite(error)
        error = error if np.count_nonzero(known) == known.size else np.where(known, error, 0.0)
        result = directed(exact.astype(kind.dtype), exact, error, mode)
        if name in {"add", "sub", "fma"} and mode == "rm":
            nothing = (exact == 0) & (error == 0)
            if np.count_nonzero(nothing):
                result = np.where(nothing, _lower_zero(name, wide).astype(kind.dtype), result)
        if kind.bits < 64:
            return result
        hard = hard_lanes(wide, exact if name != "fma" else wide[0] * wide[1])
        return settle(name, wide, result, hard, mode) if hard.any() else result

    return rounded


def _with_error(name: str, operands: tuple[Array, ...]) -> tuple[Array, Array]:
    """A float64 near the true result and what is missing (of a quotient only its sign)."""
    a, b, *rest = operands
    if name in {"add", "sub"}:
        return two_sum(a, b if name == "add" else -b)
    if name == "div":
        exact = a / b
        product, low = two_product(exact, b)
        return exact, ((a - product) - low) * np.sign(b)
    exact, error = two_product(a, b)
    if not rest:
        return exact, error
    exact, second = two_sum(exact, rest[0])
    total, third = two_sum(error, second)
    moved, fourth = two_sum(exact, total)
    return np.where(np.isnan(moved), a * b + rest[0], moved), np.where(fourth != 0, fourth, third)


def _lower_zero(name: str, operands: tuple[Array, ...]) -> Array:
    """A sum that is exactly zero is -0 rounded down, unless both terms are +0 (IEEE 754-2019, 6.3)."""
    a, b, *rest = operands
    terms = (a * b, rest[0]) if name == "fma" else (a, b if name == "add" else -b)
    both = ~np.signbit(terms[0]) & ~np.signbit(terms[1])
    return np.where(both, 0.0, -0.0)


@formula("fma", "9.7.3.6, 9.7.4.4")
def fma(m: Modifiers) -> Formula:
    """The product plus c, rounded once."""
    if m.type.name in {"f16x2", "bf16", "bf16x2"}:
        return packed_formula(m, "fma")
    return float_formula(m, "fma")


@formula("copysign", "9.7.3.2")
def copysign(m: Modifiers) -> Formula:
    """The sign of a on the magnitude of b."""
    return same(m.type, 2, lambda a, b: np.copysign(b, a))


@formula("testp", "9.7.3.1")
def testp(m: Modifiers) -> Formula:
    """Classify a float."""
    kind = m.type
    tiny = np.finfo(kind.dtype).tiny
    tests: dict[str, Function] = {
        "finite": np.isfinite,
        "infinite": np.isinf,
        "number": lambda a: ~np.isnan(a),
        "notanumber": np.isnan,
        "normal": lambda a: np.isfinite(a) & (np.abs(a) >= tiny),
        "subnormal": lambda a: (a != 0) & (np.abs(a) < tiny),
    }
    return Formula((kind,), TYPES["pred"], tests[m.parts[0]])


def _elementary(m: Modifiers, function: Function) -> Formula:
    return same(m.type, 1, _decorate(function, m))


def _approximate(m: Modifiers, name: str, function: Function, count: int = 1) -> Formula:
    """A formula with the error that PTX allows; `function` takes and gives values of the type, or of float64."""
    kind = m.type
    fraction, least = (23, -126) if kind.bits == 32 else (10, -14)
    approximation = Approximation(
        f"{name}.{kind.name}",
        function,
        widen=lambda value: value.astype(F64),
        narrow=lambda value: value.astype(kind.dtype),
        bits=f"uint{kind.bits}",
        fraction=fraction,
        least=least,
    )

    def deviating(seed: int, *operands: Array) -> Array:
        return _decorate(lambda *x: approximation.compute(seed, *x), m)(*operands)

    formula = same(kind, count, _decorate(function, m))
    return Formula(formula.sources, formula.result, formula.function, deviating)


def _quotient(a: Array, b: Array) -> Array:
    """`div.approx`: a times the reciprocal of b, which is lost for |b| above 2^126 (PTX ISA 9.0, section 9.7.3.8)."""
    lost = (np.abs(b) > 2.0**126) & np.isfinite(b)
    nothing = np.where(np.isinf(a), np.nan, np.copysign(0.0, a) * np.sign(b))
    return np.where(lost, nothing, a / b).astype(a.dtype)


@formula("rcp", "9.7.3.13, 9.7.3.14")
def rcp(m: Modifiers) -> Formula:
    """The reciprocal; `.approx.ftz.f64` keeps the upper 32 bits of the result."""
    kind = m.type
    if m.rounding in {"rz", "rm", "rp"}:
        divide = _directed_function(kind, "div", m.rounding)
        one = kind.dtype.type(1).reshape(1, 1, 1)
        return _elementary(m, lambda a: divide(one, a))
    if kind.bits == 64 and "approx" in m:
        return same(kind, 1, lambda a: _upper_word(1.0 / flush(a)))
    if "approx" in m:
        return _approximate(m, "rcp", lambda a: a.dtype.type(1) / a)
    return _elementary(m, lambda a: a.dtype.type(1) / a)


def _upper_word(value: Array) -> Array:
    return (np.ascontiguousarray(value).view(np.uint64) & np.uint64(0xFFFFFFFF00000000)).view(F64)


@formula("sqrt", "9.7.3.15")
def sqrt(m: Modifiers) -> Formula:
    """Square root."""
    if m.rounding in {"rz", "rm", "rp"}:
        mode, kind = m.rounding, m.type

        def rounded(a: Array) -> Array:
            root = np.sqrt(a.astype(F64))
            if kind.bits == 64:
                return directed(root, root, root_error(a, root), mode)
            product, low = two_product(root, root)
            return directed(root.astype(kind.dtype), root, (a.astype(F64) - product) - low, mode)

        return _elementary(m, rounded)
    return _approximate(m, "sqrt", np.sqrt) if "approx" in m else _elementary(m, np.sqrt)


@formula("rsqrt", "9.7.3.16, 9.7.3.17")
def rsqrt(m: Modifiers) -> Formula:
    """The reciprocal of the square root, approximate."""
    kind = m.type
    if kind.bits == 64 and "ftz" in m:
        return same(kind, 1, lambda a: _upper_word(1.0 / np.sqrt(flush(a))))
    if kind.bits == 64:
        return _elementary(m, lambda a: 1.0 / np.sqrt(a))
    return _approximate(m, "rsqrt", lambda a: (1.0 / np.sqrt(a.astype(F64))).astype(a.dtype))


@formula("sin", "9.7.3.18")
def sin(m: Modifiers) -> Formula:
    """Sine, approximate."""
    return _approximate(m, "sin", np.sin)


@formula("cos", "9.7.3.19")
def cos(m: Modifiers) -> Formula:
    """Cosine, approximate."""
    return _approximate(m, "cos", np.cos)


@formula("lg2", "9.7.3.20")
def lg2(m: Modifiers) -> Formula:
    """Base-2 logarithm, approximate."""
    return _approximate(m, "lg2", np.log2)


@formula("ex2", "9.7.3.21, 9.7.4.10")
def ex2(m: Modifiers) -> Formula:
    """Two to the power a, approximate."""
    if m.type.name in {"f16x2", "bf16", "bf16x2"}:
        return packed_formula(m, "ex2")
    return _approximate(m, "ex2", np.exp2)


@formula("tanh", "9.7.3.22, 9.7.4.9")
def tanh(m: Modifiers) -> Formula:
    """Hyperbolic tangent, approximate."""
    if m.type.name in {"f16x2", "bf16", "bf16x2"}:
        return packed_formula(m, "tanh")
    return _approximate(m, "tanh", np.tanh)
