"""Inclusive prefix sum."""

import numpy as np


def reference(x, n):
    """Return the sum of all elements up to each one."""
    return {"y": np.cumsum(x)}
