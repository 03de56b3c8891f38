"""Prefix sums across blocks: every block waits for the one before it."""

import numpy as np


def reference(x, n):
    return {"y": np.cumsum(x)}
