"""Every row rotated by one, in place."""

import numpy as np


def reference(y, rows):
    return {"y": np.roll(y, 1, axis=1)}
