"""Matrix elements as they lie in registers and memory, decoded to exact float64 and back.

Every element type of the tensor cores is exact in float64, and so is the product of any two of them but
float64's own. Sums are made in float64 and rounded once to the accumulator's type: PTX leaves order and
intermediate precision of float sums open (9.7.14.5.14), and this is the value that every order approximates.
Integers are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import F16, F32, F64, S8, S32, U8, U16, U32, Dtype


@dataclass(frozen=True)
class Element:
    """An element type: `bits` wide; `register` is the dtype of the register that packs it."""

    name: str
    bits: int
    register: Dtype

    @property
    def packed(self) -> int:
        """Elements a register holds."""
        return self.register.itemsize * 8 // self.bits

    @property
    def is_integer(self) -> bool:
        """Whether sums of it are integers."""
        return self.name in {"s8", "u8", "s4", "u4", "b1", "s32"}


ELEMENTS = {
    name: Element(name, bits, F64 if bits == 64 else U32)
    for name, bits in {
        "f16": 16,
        "bf16": 16,
        "tf32": 32,
        "f32": 32,
        "f64": 64,
        "e4m3": 8,
        "e5m2": 8,
        "s8": 8,
        "u8": 8,
        "s4": 4,
        "u4": 4,
        "b1": 1,
        "s32": 32,
    }.items()
}


_CODES = {
    "f16": F16,
    "bf16": U16,
    "tf32": U32,
    "f32": F32,
    "f64": F64,
    "e4m3": U8,
    "e5m2": U8,
    "s8": S8,
    "u8": U8,
    "s32": S32,
}


def split(registers: Array, element: Element) -> Array:
    """Elements apart from each other, in codes that `decode` takes.

    Args:
        registers: Contiguous, shape (..., R), of the element's register dtype.
        element: What they pack.

    Returns:
        Shape (..., R * packed).
    """
    if element.bits < 8:
        return _unpack(registers, element)
    return registers.view(_CODES[element.name])


def decode(codes: Array, element: Element) -> Array:
    """Elements as float64, of the codes that `split` returns, in their shape."""
    name = element.name
    if name == "bf16":
        return (codes.astype(U32) << np.uint32(16)).view(F32).astype(F64)
    if name == "tf32":
        # The 13 lowest bits are not there for the tensor cores: conversion rounds, reading truncates.
        return (codes & np.uint32(0xFFFFE000)).view(F32).astype(F64)
    if name in {"e4m3", "e5m2"}:
        return _eight_bit_floats(name).take(codes)
    return codes.astype(F64, copy=False)


def encode(values: Array, element: Element) -> Array:
    """Round float64 (or take int32) elements to the type: the inverse of `decode`."""
    return values.astype(_CODES[element.name], copy=False)


def _unpack(registers: Array, element: Element) -> Array:
    """Elements below a byte, the lowest bits first."""
    bits = element.bits
    shifts = np.arange(0, 32, bits, dtype=U32)
    parts = registers[..., None] >> shifts & np.uint32((1 << bits) - 1)
    values = parts.astype(S32).reshape(*registers.shape[:-1], -1)
    return np.where(values > 7, values - 16, values) if element.name == "s4" else values


@lru_cache(maxsize=2)
def _eight_bit_floats(name: str) -> Array:
    """The 256 values of e4m3 (no infinity) or e5m2 (PTX ISA 9.0, section 5.2.3)."""
    exponent_bits, mantissa_bits, bias = (4, 3, 7) if name == "e4m3" else (5, 2, 15)
    code = np.arange(256)
    exponent, mantissa = code >> mantissa_bits & ((1 << exponent_bits) - 1), code & ((1 << mantissa_bits) - 1)
    fraction = mantissa / (1 << mantissa_bits) + (exponent > 0)
    value = fraction * 2.0 ** (np.maximum(exponent, 1) - bias)
    if name == "e4m3":
        value[(code & 0x7F) == 0x7F] = np.nan
    else:
        value[exponent == 31] = np.where(mantissa[exponent == 31] == 0, np.inf, np.nan)
    return np.where(code < 128, value, -value)
