"""Inclusive prefix sums within a block by shuffles."""

import numpy as np


def reference(x, rows):
    return {"y": np.cumsum(x, axis=1)}
