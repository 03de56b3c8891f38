"""Softmax over the last axis."""

import numpy as np


def reference(x, rows, cols):
    """Return e**x over its row's sum."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return {"y": e / e.sum(axis=-1, keepdims=True)}


def magnitude(x, rows, cols):
    """Return the scale of the error; the sum is taken in chunks, so its length counts by its logarithm."""
    shifted = x - x.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    return {"y": e / e.sum(axis=-1, keepdims=True) * (1 + np.abs(shifted) + np.log2(cols))}
