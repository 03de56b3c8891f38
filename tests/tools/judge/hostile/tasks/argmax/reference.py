"""Where the largest element is."""

import numpy as np


def reference(x, rows, cols):
    """Return the first index of each row's maximum."""
    return {"index": np.argmax(x, axis=-1).astype(np.int32)}
