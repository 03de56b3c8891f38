"""Steps of a smoothing between two buffers."""

import numpy as np


def reference(x, n):
    for _ in range(3):
        p = np.pad(x, 1, mode="edge")
        x = (p[:-2] + x + p[2:]) / 3
    return {"y": x}
