"""Special functions for references, in float64: `from special import erf`.

NumPy has none, and SciPy need not be there. Each takes arrays of any shape, or numbers. A reference that imports one
of these names from `scipy.special` gets it from here too, so that its error can be followed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

np: Any = numpy

ERF: Any = np.frompyfunc(math.erf, 1, 1)
ERFC: Any = np.frompyfunc(math.erfc, 1, 1)


def _finite_or(value: float, compute: Any) -> Any:
    def guarded(x: float) -> Any:
        try:
            return compute(x)
        except (ValueError, OverflowError):  # a pole, or beyond the range
            return value if x == x and x != -math.inf else math.nan

    return guarded


GAMMA: Any = np.frompyfunc(_finite_or(math.inf, math.gamma), 1, 1)
LGAMMA: Any = np.frompyfunc(_finite_or(math.inf, math.lgamma), 1, 1)
_OWN = (ERF, ERFC, GAMMA, LGAMMA)


def evaluate(ufunc: Any, *operands: Any, **kwargs: Any) -> Any:
    """Call a ufunc; those of this module give float64 and not objects."""
    result = ufunc(*operands, **kwargs)
    return np.asarray(result, np.float64) if ufunc in _OWN else result


def _elementwise(ufunc: Any, x: Any) -> Any:
    result: Any = ufunc(x)
    if isinstance(result, float):
        return np.float64(result)
    # A traced array has its dtype already.
    return np.asarray(result, np.float64) if result.__class__ is numpy.ndarray else result


def erf(x: Any) -> Any:
    """Return the error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x."""
    return _elementwise(ERF, x)


def erfc(x: Any) -> Any:
    """Return 1 - erf(x), accurate where that is tiny."""
    return _elementwise(ERFC, x)


def gamma(x: Any) -> Any:
    """Return the gamma function; infinite at its poles."""
    return _elementwise(GAMMA, x)


def lgamma(x: Any) -> Any:
    """Return the logarithm of the absolute value of the gamma function."""
    return _elementwise(LGAMMA, x)


gammaln = lgamma


def ndtr(x: Any) -> Any:
    """Return the cumulative distribution function of the standard normal distribution."""
    return 0.5 * erfc(-x / math.sqrt(2))


def expit(x: Any) -> Any:
    """Return the logistic function 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def logit(x: Any) -> Any:
    """Return log(x / (1 - x))."""
    return np.log(x / (1 - x))


def xlogy(x: Any, y: Any) -> Any:
    """Return x * log(y), and 0 where x is 0."""
    zero = x == 0
    return np.where(zero, 0.0, x * np.log(np.where(zero, 1.0, y)))


def logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Return the logarithm of the sum of exponentials, without overflow."""
    top = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def softmax(x: Any, axis: Any = None) -> Any:
    """Return exponentials over their sum, without overflow."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """Return the logarithm of `softmax`."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def digamma(x: Any) -> Any:
    """Return the logarithmic derivative of the gamma function: recurrence up to 6, then its asymptotic series.

    (Abramowitz and Stegun, Handbook of Mathematical Functions, 6.3.5, 6.3.7 and 6.3.18.)
    """
    x = np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        mirrored = x < 0.5
        t = np.where(mirrored, 1 - x, x)
        total = np.zeros_like(t)
        for _ in range(6):
            small = t < 6
            total = total - np.where(small, 1 / t, 0)
            t = np.where(small, t + 1, t)
        square = 1 / (t * t)
        series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
        value = total + np.log(t) - 0.5 / t - series
        return np.where(mirrored, value - math.pi / np.tan(math.pi * x), value)


NAMES = (
    "digamma", "erf", "erfc", "expit", "gamma", "gammaln", "lgamma", "log_softmax", "logit", "logsumexp", "ndtr",
    "softmax", "xlogy",
)  # fmt: skip
"""What a reference may import."""
