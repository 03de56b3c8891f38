"""Dot product."""

import numpy as np


def reference(x, y, n):
    """Return the sum of products as one element."""
    return {"out": np.sum(x * y).reshape(1)}


def magnitude(x, y, n):
    """Return the sum of absolute terms."""
    return {"out": np.sum(np.abs(x * y)).reshape(1)}
