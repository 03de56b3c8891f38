"""Errors of approximate instructions, as large as PTX ISA 9.0 lets them be.

A device computes some function of the operands, another device another one, and a kernel cannot know which: the error
here follows from a seed, the instruction and the bits of its operands. It is spread evenly on both sides of the true
value, up to the maximum that the section of the instruction states. What a section states exactly is exact.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.device import Array
from sandbox.dtypes import power_below

_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)
_FRACTION = np.uint64(0x000FFFFFFFFFFFFF)
_HUGE = 2.0**1023
_TURN = 2 * np.pi
_INFINITE = float("inf")


def _end(operand: Array) -> Array:
    return (operand == 0) | np.isinf(operand)


def _integral(operand: Array) -> Array:
    return operand == np.trunc(operand)


def _power_of_two(operand: Array) -> Array:
    """Of normal float64; zeros and infinities have no fraction either."""
    return (operand.view(np.uint64) & _FRACTION) == 0


@dataclass(frozen=True)
class Accuracy:
    """How far an approximate instruction may be from the true value: the sum of what is not 0.

    Attributes:
        section: Of PTX ISA 9.0, where it is stated.
        ulps: Units in the last place of the result.
        relative: Part of the true value.
        absolute: By the magnitude of the operand up to which it holds, ascending; the last one also beyond.
        from_one: The range around 1 in which twice `relative` is an absolute error.
        most: The largest magnitude of a result; approximations keep to it.
        exact_at: Operands whose result has no error, zeros and infinities among them: CUDA's own math functions are
            only as accurate as the CUDA C++ Programming Guide says if powers of two come out exactly.
    """

    section: str
    ulps: float = 0.0
    relative: float = 0.0
    absolute: tuple[tuple[float, float], ...] = ()
    from_one: tuple[float, float] = (1.0, 1.0)
    most: float = _INFINITE
    exact_at: Callable[[Array], Array] = _end

    def limit(self, exact: Array, operand: Array, ulp: Array) -> Array:
        """The largest error, float64, of true values in float64."""
        limit = self.ulps * ulp
        if self.relative:
            low, high = self.from_one
            size = np.abs(exact)
            if low < high:
                size = np.where((operand > low) & (operand < high), 2.0, size)
            limit = self.relative * size + limit
        for reach, error in reversed(self.absolute):
            limit = np.where(np.abs(operand) <= reach, error, np.maximum(limit, error))
        return np.where(self.exact_at(operand), 0.0, limit)


_CIRCULAR = ((_TURN, 2.0**-20.5), (50 * _TURN, 2.0**-14.7))
# Where the guide ("Mathematical Functions") states less of a function made of an instruction, that holds: 1 ulp
# of rsqrt for rnorm3df's 2, 2^-23.5 of lg2 for __log10f's 3; PTX has 2^-22.9 and 2^-22.
# Between -pi and pi the guide ("Mathematical Functions", intrinsic functions: __sinf, __cosf) states less.
_SINE, _COSINE = ((np.pi, 2.0**-21.41), *_CIRCULAR), ((np.pi, 2.0**-21.19), *_CIRCULAR)
ACCURACIES = {
    "div.approx.f32": Accuracy("9.7.3.8", ulps=2.0),
    "div.full.f32": Accuracy("9.7.3.8", ulps=2.0),
    "rcp.f32": Accuracy("9.7.3.13", ulps=1.0, exact_at=_power_of_two),
    "sqrt.f32": Accuracy("9.7.3.15", relative=2.0**-23),
    "rsqrt.f32": Accuracy("9.7.3.16", ulps=1.0),
    "sin.f32": Accuracy("9.7.3.18", absolute=_SINE, most=1.0),
    "cos.f32": Accuracy("9.7.3.19", absolute=_COSINE, most=1.0),
    "lg2.f32": Accuracy("9.7.3.20", relative=2.0**-23.5, from_one=(0.5, 2.0)),
    "ex2.f32": Accuracy("9.7.3.21", ulps=2.0, exact_at=_integral),
    "tanh.f32": Accuracy("9.7.3.22", relative=2.0**-11, most=1.0),
    "tanh.f16": Accuracy("9.7.4.9", absolute=((_INFINITE, 2.0**-10.987),), most=1.0),
    "tanh.bf16": Accuracy("9.7.4.9", absolute=((_INFINITE, 2.0**-8),), most=1.0),
    "ex2.f16": Accuracy("9.7.4.10", relative=2.0**-9.9, exact_at=_integral),
    "ex2.bf16": Accuracy("9.7.4.10", relative=2.0**-7, exact_at=_integral),
}
"""By opcode and type. PTX states nothing for those of f64, which have no error here either: they keep the upper word
of the result, or are emulated."""


@dataclass(frozen=True)
class Approximation:
    """One approximate instruction in one format.

    Attributes:
        name: In `ACCURACIES`.
        function: The true value, of float64 operands.
        widen: Values of the format in float64.
        narrow: Float64 values in the format, to nearest even.
        bits: Unsigned integers of the format's width.
        fraction: Stored bits of the significand.
        least: Exponent of the smallest normal number.
    """

    name: str
    function: Callable[..., Array]
    widen: Callable[[Array], Array]
    narrow: Callable[[Array], Array]
    bits: str
    fraction: int
    least: int

    def compute(self, seed: int, *operands: Array) -> Array:
        """The result on the device that a seed stands for, in the format.

        Args:
            seed: Of the errors.
            operands: In the format, lane-shaped.
        """
        accuracy = ACCURACIES[self.name]
        wide = tuple(self.widen(operand) for operand in operands)
        exact = self.function(*wide)
        below = power_below(exact)
        ulp = np.minimum(np.maximum(below, 2.0**self.least), _HUGE) * 2.0**-self.fraction * (exact != 0)
        limit = accuracy.limit(exact, wide[0], ulp)
        moved = exact + limit * self._deviation(seed, operands)
        crossed = np.signbit(moved) != np.signbit(exact)
        if np.count_nonzero(crossed):
            moved = np.where(crossed, np.copysign(0.0, exact), moved)
        if accuracy.most < _INFINITE:
            moved = np.clip(moved, -accuracy.most, accuracy.most)
        result = self.narrow(moved)
        # Rounded to the format a value may lie beyond the limit; the nearest one never does.
        return np.where(np.abs(self.widen(result) - exact) <= limit, result, self.narrow(exact))

    def _deviation(self, seed: int, operands: tuple[Array, ...]) -> Array:
        """A number in [-1, 1) that follows from the seed, the instruction and the operands."""
        mixed: Array = np.full(
            (1, 1, 1), (seed ^ zlib.crc32(self.name.encode())) & 0xFFFFFFFF, dtype=np.uint32
        )
        for operand in operands:
            mixed = (mixed ^ operand.view(self.bits).astype(np.uint32, copy=False)) * _FIRST
            mixed = mixed ^ mixed >> np.uint32(15)
        mixed = mixed * _SECOND
        mixed = mixed ^ mixed >> np.uint32(13)
        return (mixed * _FIRST).view(np.int32).astype(np.float64) * 2.0**-31
