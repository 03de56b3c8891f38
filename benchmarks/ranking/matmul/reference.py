"""Matrix product."""

import numpy as np


def reference(a, b, n):
    """Return a @ b."""
    return {"c": a @ b}


def magnitude(a, b, n):
    """Return the sums of absolute terms."""
    return {"c": np.abs(a) @ np.abs(b)}
