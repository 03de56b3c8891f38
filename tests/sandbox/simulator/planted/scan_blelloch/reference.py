"""Exclusive prefix sums of every row, work-efficient."""

import numpy as np


def reference(x, rows):
    return {"y": np.cumsum(x, axis=1) - x}
