"""A dot product; the last block to finish adds the partial sums."""

import numpy as np


def reference(x, y, n):
    return {"out": np.sum(x * y).reshape(1)}


def magnitude(x, y, n):
    return {"out": np.sum(np.abs(x * y)).reshape(1)}
