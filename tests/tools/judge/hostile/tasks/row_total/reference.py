"""Sums of integers, exactly."""

import numpy as np


def reference(x, rows, cols):
    """Return the sum over the last axis."""
    return {"total": x.sum(axis=-1, dtype=np.int64)}
