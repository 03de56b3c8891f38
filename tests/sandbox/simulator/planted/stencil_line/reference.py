"""A stencil of radius two on a line, with a halo in shared memory."""

import numpy as np


def reference(x, n):
    padded = np.pad(x, 2)
    return {"y": sum(padded[i : i + n] * w for i, w in enumerate((1, 4, 6, 4, 1)))}
