"""A linear layer and its activation."""

import numpy as np
from special import erf


def reference(x, w, bias, rows, inputs, outputs):
    """Return GELU of x times w plus bias."""
    z = x @ w + bias
    return {"y": 0.5 * z * (1 + erf(z / np.sqrt(2)))}
