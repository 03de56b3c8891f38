"""A copy in vectors of four, then a tail."""

import numpy as np


def reference(x, n):
    return {"y": np.array(x)}
