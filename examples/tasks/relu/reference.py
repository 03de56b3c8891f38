"""Rectified linear unit."""

import numpy as np


def reference(x, n):
    """Return the positive part of every element."""
    return {"y": np.maximum(x, 0)}
