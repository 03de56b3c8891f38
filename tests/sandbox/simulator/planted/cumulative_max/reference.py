"""The largest element so far in every row, in chunks with a carry."""

import numpy as np


def reference(x, rows, cols):
    return {"y": np.maximum.accumulate(x, axis=1)}
