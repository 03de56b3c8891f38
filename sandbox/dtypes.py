"""The element types of buffers, by NumPy's names: the one table of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

_EXPONENT = np.uint64(0x7FF0000000000000)


@dataclass(frozen=True)
class FloatLayout:
    """A binary floating point format (IEEE 754-2019, section 3.3; bfloat16 has float32's exponents).

    Attributes:
        fraction_bits: Stored bits of the significand, the leading one apart.
        least_exponent, greatest_exponent: Of normal numbers, for a significand of 1 to 2.
    """

    fraction_bits: int
    least_exponent: int
    greatest_exponent: int

    @property
    def epsilon(self) -> float:
        """Distance from 1 to the next larger number."""
        return 2.0**-self.fraction_bits

    @property
    def smallest_normal(self) -> float:
        """Smallest positive number that has full precision."""
        return 2.0**self.least_exponent

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive number."""
        return 2.0 ** (self.least_exponent - self.fraction_bits)

    @property
    def largest(self) -> float:
        """Largest finite number."""
        return (2.0 - self.epsilon) * 2.0**self.greatest_exponent

    @property
    def overflow(self) -> float:
        """Smallest magnitude that rounds to infinity (infinite itself for float64)."""
        return self.largest + 2.0 ** (self.greatest_exponent - self.fraction_bits - 1)


DTYPE_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "float16": 2,
        "bfloat16": 2,
        "float32": 4,
        "float64": 8,
        "int8": 1,
        "int16": 2,
        "int32": 4,
        "int64": 8,
        "uint8": 1,
        "uint16": 2,
        "uint32": 4,
        "uint64": 8,
        "bool": 1,
    }
)
"""Bytes of one element of every dtype that a buffer may have; in the order in which they are told."""

FLOATS: Mapping[str, FloatLayout] = MappingProxyType(
    {
        "float16": FloatLayout(10, -14, 15),
        "bfloat16": FloatLayout(7, -126, 127),
        "float32": FloatLayout(23, -126, 127),
        "float64": FloatLayout(52, -1022, 1023),
    }
)
"""The formats of those that are floating point."""


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of a name; bfloat16, which NumPy does not know, comes from ml_dtypes.

    Raises:
        ValueError: The name is not one of `DTYPE_BYTES`.
    """
    if name not in DTYPE_BYTES:
        raise ValueError(f"unknown dtype {name!r:.60}: expected one of {', '.join(DTYPE_BYTES)}")
    if name == "bfloat16":
        import ml_dtypes  # only where bfloat16 is used: not every worker sees it

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def power_below(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the power of two at or below the magnitude of each float64; 0 below the normal ones, else infinity."""
    return (values.view(np.uint64) & _EXPONENT).view(np.float64)
