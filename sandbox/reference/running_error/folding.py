"""Rules of `reduce` and `accumulate` for ufuncs without rules of their own: step by step, by the rule of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.reference.running_error.array import METHOD_RULES, UFUNC_RULES, Traced, lift
from sandbox.reference.running_error.precision import Untraceable, np

_STEPWISE = (
    np.logaddexp, np.logaddexp2, np.hypot, np.subtract, np.divide, np.power, np.bitwise_xor, np.bitwise_and,
    np.bitwise_or, np.logical_xor, np.gcd, np.lcm,
)  # fmt: skip


def _steps(ufunc: Any, x: Any, axis: int) -> list[Any]:
    """The running results along an axis, each of the shape of one element of it."""
    step = UFUNC_RULES.get(ufunc)
    if step is None:
        raise Untraceable(f"no rule for np.{ufunc.__name__}")
    rows: Any = np.moveaxis(lift(x), axis, 0)
    if not rows.shape[0]:
        raise Untraceable(f"np.{ufunc.__name__} over nothing")
    found = [rows[0]]
    for row in rows[1:]:
        found.append(step(found[-1], row))
    return found


def _reduce(ufunc: Any) -> Callable[..., Any]:
    def apply(x: Any, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False, **keywords: Any) -> Any:
        if keywords:
            raise Untraceable(f"np.{ufunc.__name__}.reduce with options")
        x = lift(x)
        if axis is None:
            if keepdims:
                raise Untraceable(f"np.{ufunc.__name__}.reduce over all axes, which are kept")
            x, axis = x.reshape(-1), 0
        if isinstance(axis, tuple):
            raise Untraceable(f"np.{ufunc.__name__}.reduce over several axes")
        made = Traced(ufunc.reduce(x.v, axis=axis), lift(_steps(ufunc, x, axis)[-1]).s)
        return np.expand_dims(made, axis) if keepdims else made

    return apply


def _accumulate(ufunc: Any) -> Callable[..., Any]:
    def apply(x: Any, axis: int = 0, dtype: Any = None) -> Any:
        x = lift(x)
        made: Any = np.moveaxis(np.stack(_steps(ufunc, x, axis)), 0, axis)
        return Traced(ufunc.accumulate(x.v, axis=axis), made.s)

    return apply


for _ufunc in _STEPWISE:
    METHOD_RULES["reduce", _ufunc] = _reduce(_ufunc)
    METHOD_RULES["accumulate", _ufunc] = _accumulate(_ufunc)
