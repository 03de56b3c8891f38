"""x times the standard normal distribution function."""

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[float])


def reference(x, n):
    """Return x / 2 * (1 + erf(x / sqrt 2))."""
    return {"y": 0.5 * x * (1 + _erf(x / math.sqrt(2)))}


def magnitude(x, n):
    """Return the sum of the two terms' absolute values, at most |x|."""
    return {"y": np.abs(x)}
