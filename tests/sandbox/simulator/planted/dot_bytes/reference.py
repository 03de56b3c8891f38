"""A product of a byte matrix and a byte vector, four bytes at once."""

import numpy as np


def reference(a, b, rows, cols):
    return {"y": a.astype(np.int64) @ b.astype(np.int64)}
