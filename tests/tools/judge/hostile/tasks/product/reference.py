"""Matrix product."""

import numpy as np


def reference(a, b, m, n, k):
    """Return a times b."""
    return {"c": a @ b}


def magnitude(a, b, m, n, k):
    """Return the sum of absolute terms behind each element."""
    return {"c": np.abs(a) @ np.abs(b)}
