"""The sum of a vector: a tree in shared memory, then the partial sums."""

import numpy as np


def reference(x, n):
    return {"out": np.sum(x).reshape(1)}
