"""Values of polynomials as `numpy.polynomial` computes them, of traced coefficients and places."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sandbox.reference.running_error.array import lift
from sandbox.reference.running_error.precision import Untraceable, np


def horner(x: Any, c: Any, tensor: bool = True) -> Any:
    """`polynomial.polyval`: coefficients from the lowest power on."""
    rows = _coefficients(c)
    x = lift(x)
    made = rows[-1] + x * 0
    for row in rows[-2::-1]:
        made = row + made * x
    return made


def clenshaw(x: Any, c: Any, tensor: bool = True) -> Any:
    """`chebyshev.chebval`, by Clenshaw's recurrence."""
    rows = _coefficients(c)
    x = lift(x)
    if len(rows) == 1:
        return rows[0] + x * 0
    low, high = rows[-2], rows[-1]
    for row in rows[-3::-1]:
        low, high = row - high, low + high * (2 * x)
    return low + high * x


def _coefficients(c: Any) -> list[Any]:
    found = lift(c)
    if found.ndim != 1:
        raise Untraceable("several polynomials at once")
    return [found[place] for place in range(found.shape[0])]


NAMES: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "polynomial": (np.polynomial.polynomial, {"polyval": horner}),
    "chebyshev": (np.polynomial.chebyshev, {"chebval": clenshaw}),
}
"""Modules of `numpy.polynomial`, and what takes the place of their functions."""
