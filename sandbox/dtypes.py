"""The element types of tasks, buffers and messages: the one table, by NumPy's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sandbox.errors import UsageError

ITEM_BYTES: Mapping[str, int] = {
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
"""Bytes of one element."""

DTYPE_NAMES = ", ".join(ITEM_BYTES)
"""All of them, as messages and descriptions list them."""


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of that name; `bfloat16` comes from ml_dtypes, which only its users need.

    Raises:
        UsageError: There is no such dtype.
    """
    if name not in ITEM_BYTES:
        raise UsageError(f"expected a dtype ({DTYPE_NAMES}), found `{name:.60}`")
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)
