"""Monte Carlo integration."""

import numpy as np


def reference(x, n):
    """Return the length of the interval times the mean of the function at the sample points."""
    return {"integral": (0.5 * np.mean(np.sin(2 * np.pi * x))).reshape(1)}
