"""Histogram of 256 bins."""

import numpy as np


def reference(x, n):
    """Return how often each value occurs."""
    return {"bins": np.bincount(x, minlength=256)}
