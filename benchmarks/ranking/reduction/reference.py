"""Sum of all elements."""

import numpy as np


def reference(x, n):
    """Return the sum as one element."""
    return {"out": np.sum(x).reshape(1)}


def magnitude(x, n):
    """Return the sum of absolute terms."""
    return {"out": np.sum(np.abs(x)).reshape(1)}
