"""y = a x + y in pairs of halves, then an odd one."""

import numpy as np


def reference(x, y, n):
    return {"y": 2 * x + y}


def magnitude(x, y, n):
    return {"y": 2 * np.abs(x) + np.abs(y)}
