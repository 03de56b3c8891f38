"""Every positive element, in order, and how many."""

import numpy as np


def reference(x, y, n):
    kept = x[x > 0]
    return {"y": np.pad(kept, (0, n - kept.size)), "count": np.array([kept.size])}
