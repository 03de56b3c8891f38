"""PTX fundamental types and their NumPy dtypes (PTX ISA 9.0, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.device import Array

Dtype = np.dtype[Any]


@dataclass(frozen=True)
class PtxType:
    """One fundamental type: `kind` is u, s, b, f or p (predicate); `bits` its width."""

    name: str
    kind: str
    bits: int
    dtype: Dtype

    @property
    def bytes(self) -> int:
        """Width in memory, bytes."""
        return self.bits // 8

    @property
    def is_float(self) -> bool:
        """True for f16, f32 and f64."""
        return self.kind == "f"

    @property
    def is_signed(self) -> bool:
        """True for s8 to s64."""
        return self.kind == "s"


def _types() -> dict[str, PtxType]:
    table = {"pred": PtxType("pred", "p", 8, np.dtype(np.bool_))}
    for bits in (8, 16, 32, 64):
        for kind, base in (("u", "uint"), ("s", "int"), ("b", "uint")):
            table[f"{kind}{bits}"] = PtxType(f"{kind}{bits}", kind, bits, np.dtype(f"{base}{bits}"))
    for bits in (16, 32, 64):
        table[f"f{bits}"] = PtxType(f"f{bits}", "f", bits, np.dtype(f"float{bits}"))
    packed = {
        "f16x2": 32,
        "bf16x2": 32,
        "bf16": 16,
        "tf32": 32,
        "u16x2": 32,
        "s16x2": 32,
        "e4m3": 8,
        "e5m2": 8,
        "e4m3x2": 16,
        "e5m2x2": 16,
    }
    for name, bits in packed.items():
        table[name] = PtxType(name, "b", bits, np.dtype(f"uint{bits}"))
    return table


TYPES = _types()

U8, U16, U32, U64 = (TYPES[f"u{bits}"].dtype for bits in (8, 16, 32, 64))
S8, S16, S32, S64 = (TYPES[f"s{bits}"].dtype for bits in (8, 16, 32, 64))
F16, F32, F64 = (TYPES[f"f{bits}"].dtype for bits in (16, 32, 64))
PRED = TYPES["pred"].dtype


def constant(value: int | float, dtype: Dtype) -> Array:
    """A value that is the same in every lane, shape (1, 1, 1); integers wrap to the dtype's width."""
    if dtype.kind in "ui":
        bits = dtype.itemsize * 8
        raw = np.array(int(value) & ((1 << bits) - 1), dtype=f"uint{bits}")
        return raw.view(dtype).reshape(1, 1, 1)
    return np.array(value, dtype=dtype).reshape(1, 1, 1)
