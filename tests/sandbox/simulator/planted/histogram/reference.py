"""A histogram, privatised in shared memory."""

import numpy as np


def reference(x, h, n):
    return {"h": h + np.bincount(x, minlength=32)}
