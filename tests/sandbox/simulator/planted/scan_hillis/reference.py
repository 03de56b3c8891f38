"""Inclusive prefix sums of every row, step by step with two buffers."""

import numpy as np


def reference(x, rows):
    return {"y": np.cumsum(x, axis=1)}
