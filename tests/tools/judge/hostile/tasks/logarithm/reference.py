"""Logarithms, special values included."""

import numpy as np


def reference(x, n):
    """Return log x."""
    return {"y": np.log(x)}


def magnitude(x, n):
    """Return what a relative error of x weighs, and the result."""
    return {"y": 1 + np.abs(np.log(np.abs(x)))}
