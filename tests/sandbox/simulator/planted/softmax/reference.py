"""Softmax of every row, one block a row."""

import numpy as np


def reference(x, rows, cols):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return {"y": e / e.sum(axis=1, keepdims=True)}


def magnitude(x, rows, cols):
    shifted = x - x.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    return {"y": e / e.sum(axis=1, keepdims=True) * (1 + np.abs(shifted) + np.sqrt(cols))}
