"""Mean over the rows of the negative log-probability of the label."""

import numpy as np


def reference(x, label, rows, classes):
    """Return the loss as one element."""
    peak = x.max(axis=-1)
    total = peak + np.log(np.exp(x - peak[:, None]).sum(axis=-1))
    return {"loss": np.mean(total - x[np.arange(rows), label]).reshape(1)}


def magnitude(x, label, rows, classes):
    """Return the mean of the absolute terms: maximum, logarithm and target."""
    peak = x.max(axis=-1)
    logarithm = np.log(np.exp(x - peak[:, None]).sum(axis=-1))
    target = x[np.arange(rows), label]
    return {"loss": np.mean(np.abs(peak) + logarithm + np.abs(target) + 1).reshape(1)}
