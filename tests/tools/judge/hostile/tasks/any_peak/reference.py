"""Where a largest element is; ties may be broken either way."""

import numpy as np


def reference(x, rows, cols):
    """Return one of the right answers."""
    return {"index": np.argmax(x, axis=-1).astype(np.int32)}


def compare(outputs, expected, inputs):
    """Accept every index that holds its row's maximum."""
    x, index = inputs["x"], outputs["index"]
    if ((index < 0) | (index >= x.shape[1])).any():
        return "an index lies outside its row"
    if (x[np.arange(len(x)), index] != x.max(axis=-1)).any():
        return "an index does not hold its row's maximum"
    return None
