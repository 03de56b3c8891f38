"""RMS normalisation without weights."""

import numpy as np


def reference(x, rows, cols):
    """Return x / sqrt(mean of squares + 1e-5)."""
    return {"y": x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-5)}
