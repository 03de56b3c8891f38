"""NumPy dtypes by the names that tasks use."""

from __future__ import annotations

from typing import Any

import numpy as np


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype of that name; bfloat16 comes from ml_dtypes, which is imported only then."""
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)
