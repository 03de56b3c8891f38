"""Comparison of one output with its reference: pure NumPy, where no candidate can reach."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from sandbox.dtypes import FLOATS, numpy_dtype
from sandbox.poison import Bytes
from tools.judge.closeness import closeness
from tools.judge.error_bound import SLICE, Array, ErrorBound, Float64s, error_bound
from tools.reports import Closeness, Mismatch

SHOWN = 5
"""How many wrong elements a comparison keeps."""


@dataclass(frozen=True)
class Expectation:
    """What one output must hold.

    Attributes:
        name: The output's name.
        dtype: Its dtype's name.
        values: The reference, shaped; float64 for floating outputs, else exact.
        magnitude: S of the error bound, of the same shape; None where unknown or where exactness is asked.
    """

    name: str
    dtype: str
    values: Array
    magnitude: Array | None = None


@dataclass(frozen=True)
class Comparison:
    """One output beside its reference.

    Attributes:
        wrong: Elements outside the bound; `unwritten` of them still held the poison.
        worst_ratio: Largest error over its bound; above 1 exactly where `wrong` is not 0; may be infinite.
        constant: The least constant of the error bound that would accept every element; may be infinite.
        first: The first few wrong elements in row-major order.
        low: For each dimension the smallest index of a wrong element; empty where none is wrong.
        high: The largest likewise.
        nans: Wrong elements that came out as NaN.
        closeness: By the rules of public benchmarks.
    """

    output: str
    shape: tuple[int, ...]
    total: int
    wrong: int = 0
    unwritten: int = 0
    worst_ratio: float = 0.0
    constant: float = 0.0
    first: tuple[Mismatch, ...] = ()
    low: tuple[int, ...] = ()
    high: tuple[int, ...] = ()
    nans: int = 0
    closeness: Closeness | None = None


def compare(
    got: Array,
    expectation: Expectation,
    *,
    constant: float,
    poison: Bytes | None = None,
    told: Array | None = None,
) -> Comparison:
    """Compare an output with its reference.

    Floating outputs are right where `error <= constant * eps(dtype) * S + ulp(expected)`, where both are NaN,
    where both are the same infinity, or where the result overflowed to the infinity that a value within the
    bound rounds to. The test is written so that NaN never passes it. Other dtypes must agree exactly.

    Args:
        got: What the run left, in the output's dtype, flat or shaped.
        expectation: The reference.
        constant: The c of the bound.
        poison: The bytes that lay in the buffer before the run; None where the buffer held an input.
        told: Which elements to judge, flat; None for all. The others are taken to be right.

    Raises:
        ValueError: `got` has another number of elements or another dtype than expected.
    """
    if got.size != expectation.values.size or got.dtype.name != expectation.dtype:
        msg = (
            f"{expectation.name}: {got.size} elements of {got.dtype.name} came back, "
            f"{expectation.values.size} of {expectation.dtype} were expected"
        )
        raise ValueError(msg)
    flat = np.ascontiguousarray(got).reshape(-1)
    if told is not None:
        flat = np.where(told, flat, _nearest(expectation))
    if expectation.dtype in FLOATS:
        judged = _judge_floats(flat, expectation, constant)
    else:
        judged = _judge_exact(flat, expectation)
    seen = slice(None) if told is None else told
    near = closeness(flat[seen], judged.expected[seen])
    found = replace(_report(flat, expectation, judged, constant, poison), closeness=near)
    return found if told is None else replace(found, total=int(np.count_nonzero(told)))


@dataclass(frozen=True)
class _Judged:
    expected: Array
    wrong: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    worst_ratio: float
    constant: float


def _nearest(expectation: Expectation) -> Array:
    """The reference in the output's dtype."""
    values = expectation.values.reshape(-1)
    exact = expectation.dtype not in FLOATS and values.dtype.kind == "f"
    with np.errstate(invalid="ignore", over="ignore"):
        return (np.rint(values) if exact else values).astype(numpy_dtype(expectation.dtype))


def _judge_exact(got: Array, expectation: Expectation) -> _Judged:
    target, expected = np.dtype(expectation.dtype), _nearest(expectation)
    # A bool that is neither 0 nor 1 is not a bool: compare what lies in memory.
    wrong = got.view(np.uint8) != expected.view(np.uint8) if target == np.bool_ else got != expected
    failed = bool(wrong.any())
    ratio = math.inf if failed else 0.0
    return _Judged(expected, wrong, ratio, ratio)


def _judge_floats(got: Array, expectation: Expectation, constant: float) -> _Judged:
    """Judge a slice at a time: what a slice needs on the way fits the cache."""
    expected = expectation.values.reshape(-1).astype(np.float64, copy=False)
    terms = None if expectation.magnitude is None else expectation.magnitude.reshape(-1)
    parts: list[_Judged] = []
    for start in range(0, max(1, got.size), SLICE):
        here = slice(start, start + SLICE)
        scale = None if terms is None else terms[here].astype(np.float64, copy=False)
        bound = error_bound(expected[here], scale, expectation.dtype)
        parts.append(_judge_slice(got[here], expected[here], bound, expectation.dtype, constant))
    return _Judged(
        expected,
        np.concatenate([part.wrong for part in parts]),
        max(part.worst_ratio for part in parts),
        max(part.constant for part in parts),
    )


def _judge_slice(got: Array, expected: Float64s, bound: ErrorBound, dtype: str, constant: float) -> _Judged:
    limit = bound.limit(constant)
    values = _widened(got)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(values - expected)
        settled = _settled(values, expected, limit, dtype)
        wrong = ~(settled | (np.isfinite(expected) & (error <= limit)))
        ratio = np.where(settled, 0.0, error / limit)
    return _Judged(expected, wrong, _largest(ratio), _least_constant(error, bound, settled))


def _settled(values: Float64s, expected: Float64s, limit: Float64s, dtype: str) -> Array:
    """Where a result is right whatever its error is."""
    if np.isfinite(values).all() and np.isfinite(expected).all():
        return values == expected
    overflow = np.abs(expected) + limit >= FLOATS[dtype].overflow
    return (
        (values == expected)
        | (np.isnan(values) & np.isnan(expected))
        | (np.isinf(values) & (np.sign(values) == np.sign(expected)) & overflow)
    )


def _widened(values: Array) -> Float64s:
    # Leftover poison may be a signalling NaN, of which the conversion would warn.
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def _least_constant(error: Float64s, bound: ErrorBound, settled: Array) -> float:
    excess = np.where(settled, 0.0, error - bound.ulp)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        needed = np.where(excess <= 0, 0.0, excess / bound.unit)
    return _largest(needed)


def _largest(values: Float64s) -> float:
    """Return the maximum, infinite where any value is NaN, 0 where there are none."""
    if values.size == 0:
        return 0.0
    largest = float(values.max())
    return math.inf if math.isnan(largest) else largest


def _report(
    got: Array, expectation: Expectation, judged: _Judged, constant: float, poison: Bytes | None
) -> Comparison:
    shape = expectation.values.shape or (1,)
    places = np.flatnonzero(judged.wrong)
    if places.size == 0:
        return Comparison(
            expectation.name, shape, got.size, worst_ratio=judged.worst_ratio, constant=judged.constant
        )
    indices = np.unravel_index(places, shape)
    nans = int(np.isnan(_widened(got[places])).sum()) if expectation.dtype in FLOATS else 0
    return Comparison(
        output=expectation.name,
        shape=shape,
        total=got.size,
        wrong=int(places.size),
        unwritten=_unwritten(got, places, poison),
        worst_ratio=judged.worst_ratio,
        constant=judged.constant,
        first=_mismatches(got, expectation, judged, constant, places[:SHOWN]),
        low=tuple(int(axis.min()) for axis in indices),
        high=tuple(int(axis.max()) for axis in indices),
        nans=nans,
    )


def _unwritten(got: Array, places: Array, poison: Bytes | None) -> int:
    if poison is None:
        return 0
    width = got.dtype.itemsize
    now = got.view(np.uint8).reshape(-1, width)[places]
    return int((now == poison.reshape(-1, width)[places]).all(axis=1).sum())


def _mismatches(
    got: Array, expectation: Expectation, judged: _Judged, constant: float, places: Array
) -> tuple[Mismatch, ...]:
    shape = expectation.values.shape or (1,)
    shown = got.view(np.uint8) if got.dtype == np.bool_ else got
    return tuple(
        Mismatch(
            output=expectation.name,
            index=tuple(int(i) for i in np.unravel_index(int(place), shape)),
            got=_plain(shown[place]),
            expected=_plain(judged.expected[place]),
            bound=float(bound),
        )
        for place, bound in zip(places, _limits(expectation, judged.expected, constant, places), strict=True)
    )


def _limits(expectation: Expectation, expected: Array, constant: float, places: Array) -> Float64s:
    """The largest errors that are allowed at these places."""
    if expectation.dtype not in FLOATS:
        return np.zeros(places.size)
    scale = None if expectation.magnitude is None else expectation.magnitude.reshape(-1)[places]
    wide = None if scale is None else scale.astype(np.float64, copy=False)
    return error_bound(expected[places], wide, expectation.dtype).limit(constant)


def _plain(value: Any) -> float | int | str:
    """Return a Python number for a NumPy scalar, or text for what JSON has no number for."""
    if isinstance(value, np.bool_ | np.integer):
        return int(cast("Any", value))
    number = float(value)
    return number if math.isfinite(number) else str(number)
