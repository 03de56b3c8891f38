"""Layer normalisation without weights."""

import numpy as np


def reference(x, rows, cols):
    """Return (x - mean) / sqrt(variance + 1e-5), the variance over all elements of a row."""
    shifted = x - x.mean(axis=-1, keepdims=True)
    return {"y": shifted / np.sqrt(np.mean(shifted**2, axis=-1, keepdims=True) + 1e-5)}


def magnitude(x, rows, cols):
    """Return the scale of the error: of the difference, and of the sums behind mean and variance."""
    shifted = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt(np.mean(shifted**2, axis=-1, keepdims=True) + 1e-5)
    return {"y": scale * (np.abs(x) + np.abs(x).mean(axis=-1, keepdims=True) + 2 * np.abs(shifted))}
