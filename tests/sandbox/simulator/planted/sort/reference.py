"""Every row of 128 sorted by a bitonic network."""

import numpy as np


def reference(x, rows):
    return {"y": np.sort(x, axis=1)}
