"""Layer normalisation of every row, a warp a row."""

import numpy as np


def reference(x, g, rows, cols):
    mean = x.mean(axis=1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=1, keepdims=True)
    return {"y": (x - mean) / np.sqrt(variance + 1e-5) * g}
