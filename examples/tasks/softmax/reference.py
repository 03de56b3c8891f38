"""Softmax over the last axis."""

import numpy as np


def reference(x, rows, cols):
    """Return e**x over its row's sum, shifted by the row's maximum so that nothing overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return {"y": e / e.sum(axis=-1, keepdims=True)}


def magnitude(x, rows, cols):
    """Return the scale of the error: an element's distance from the maximum, and the length of the row's sum."""
    shifted = x - x.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    return {"y": e / e.sum(axis=-1, keepdims=True) * (1 + np.abs(shifted) + np.sqrt(cols))}
