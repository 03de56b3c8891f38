"""The largest elements."""

import numpy as np


def reference(x, n, k):
    """Return the k largest elements, the largest first; equal ones as often as they occur."""
    return {"y": np.sort(x)[::-1][:k]}
