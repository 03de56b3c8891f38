"""Mean squared error."""

import numpy as np


def reference(predicted, target, n):
    """Return the mean of the squared differences as one element."""
    return {"loss": np.mean((predicted - target) ** 2).reshape(1)}
