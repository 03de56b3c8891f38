"""Ordinary least squares by the normal equations."""

import numpy as np


def reference(x, y, n, d):
    """Return the coefficients that make the sum of squared residuals least."""
    return {"beta": np.linalg.solve(x.T @ x, x.T @ y)}
