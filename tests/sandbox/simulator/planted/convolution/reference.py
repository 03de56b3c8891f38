"""A plane convolved with a constant 3 x 3 kernel."""

import numpy as np


def reference(x, h, w):
    p = np.pad(x, 1)
    taps = np.arange(1, 10).reshape(3, 3)
    return {"y": sum(taps[i, j] * p[i : i + h, j : j + w] for i in range(3) for j in range(3))}
