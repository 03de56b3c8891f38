"""What one operation adds to the error scale, by the dtype that an output has."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy

from sandbox.dtypes import FLOATS

Array = numpy.ndarray[Any, Any]

np: Any = numpy
"""NumPy as the rules see it: its stubs know plain arrays only."""

HALVES = frozenset({"float16", "bfloat16"})

_FLOAT32_UNITS = 8.0
"""A unit of the bound of a half is this many of float32's, where the arithmetic is float32's."""

_MOST_OPERATIONS = 100_000
_SERIAL = 16.0
_TENSOR_STEPS = 128.0


class Untraceable(Exception):
    """The running error analysis has no rule for what the reference does; the text names it."""


@dataclass
class _Budget:
    """Operations that may still be traced; counted, so that no verdict depends on the machine."""

    left: int = _MOST_OPERATIONS


@dataclass(frozen=True)
class Precision:
    """In units of `epsilon`, how much of its result's magnitude an operation adds to the error scale.

    Attributes:
        dtype: The output's dtype name.
        epsilon: Distance from 1 to the next number; an error is about `epsilon` times the scale.
        elementwise: For arithmetic on elements: 1.
        accumulated: For sums and products of arrays. Those of halves are accumulated in float32, unless the task
            says otherwise.
        least: The least constant that the bound may have with this dtype; a jump of one is `1 / least` units of it.
    """

    dtype: str
    epsilon: float
    accumulated: float
    least: float
    elementwise: float = 1.0
    budget: _Budget = field(default_factory=_Budget, compare=False)

    def spend(self) -> None:
        """Count one operation.

        Raises:
            Untraceable: There were too many; a reference that loops over elements is not traced to its end.
        """
        self.budget.left -= 1
        if self.budget.left < 0:
            raise Untraceable(
                f"it takes more than {_MOST_OPERATIONS} operations on arrays: a loop over elements"
            )

    def jump(self, size: Any, slack: Any) -> Any:
        """Return the scale of a value that jumps by `size` where `slack`, its distance from the jump, is little.

        Args:
            size: How far it jumps.
            slack: In units of error: the distance over the scale.
        """
        near = slack <= 2 * self.least * self.epsilon
        return np.where(near, size / (self.least * self.epsilon), 0.0)

    def of_sum(self, absolute: Array, value: Array, terms: float, *, tensor_cores: bool = False) -> Array:
        """Return the own rounding of a sum of products in any order.

        The error of a sum in a given order is bounded by eps times the absolute values of all partial sums (Higham,
        section 4.2); in a random order the k-th of n is about `k / n` of the result, and rounding errors of random
        sign add up to the root of the sum of their squares (Higham and Mary, SIAM J. Sci. Comput. 41(5), 2019). So a
        serial float32 sum of n terms of one sign errs by about `sqrt(n) / 8` units, one that cancels by about one.

        Tensor cores truncate, which has a sign: each step of 4 to 16 terms takes off up to a unit of the partial sum
        (docs/tensor-cores.md), so these errors grow with n.

        Args:
            absolute: Sums of absolute terms.
            value: The sums.
            terms: How many each sum has.
            tensor_cores: Both operands fit 16 bits, so that tensor cores may have made the product.
        """
        own = absolute + np.abs(value) * (np.sqrt(terms) / _SERIAL)
        if tensor_cores:
            own = own + absolute * (np.sqrt(terms) / 64) + np.abs(value) * (terms / _TENSOR_STEPS)
        return own * self.accumulated


def precision_of(dtype: str, accumulate: str | None = None) -> Precision:
    """Return the precision of an output.

    Args:
        dtype: Its dtype name, one of `FLOATS`.
        accumulate: The dtype that sums may be accumulated in; None for float32, or float64 for float64.
    """
    epsilon = FLOATS[dtype].epsilon
    if dtype not in HALVES:
        return Precision(dtype, epsilon, 1.0, 8.0)
    half = accumulate in HALVES
    return Precision(
        dtype, epsilon, 1.0 if half else _FLOAT32_UNITS * FLOATS["float32"].epsilon / epsilon, 1.0
    )


_current: ContextVar[Precision] = ContextVar("precision")


def current() -> Precision:
    """Return the precision of the trace under way."""
    return _current.get()


@contextmanager
def tracing(precision: Precision) -> Generator[None]:
    """Trace with this precision."""
    token = _current.set(precision)
    try:
        yield
    finally:
        _current.reset(token)
