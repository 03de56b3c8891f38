"""The sum of every row: shuffles, then one value a warp."""

import numpy as np


def reference(x, rows, cols):
    return {"y": x.sum(axis=1)}
