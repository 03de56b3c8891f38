"""Rules of products of arrays: each is a sum of products of elements, and linear in every operand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sandbox.reference.running_error.array import FUNCTION_RULES, UFUNC_RULES, Traced, finite, lift, rule
from sandbox.reference.running_error.precision import Array, Untraceable, current, np

Form = Callable[..., Any]
"""From plain operands their product."""


def multilinear(form: Form, operands: Sequence[Traced], terms: float, *, tensor_cores: bool = True) -> Traced:
    """Return a product that is a sum of `terms` products of one element from each operand."""
    values = [operand.v for operand in operands]
    z = np.asarray(form(*values))
    coarse = any(operand.coarse for operand in operands)
    if z.dtype.kind not in "fc":
        return Traced(z, coarse=coarse)
    sizes = [_absolute(value) for value in values]
    same = all(size is value for size, value in zip(sizes, values, strict=True))
    absolute = z if same else form(*sizes)
    narrow = tensor_cores and all(operand.narrow for operand in operands)
    own = current().of_sum(absolute, z, max(1.0, terms), tensor_cores=narrow) * max(1, len(operands) - 1)
    if np.iscomplexobj(z):
        own = 2 * own
    for place, operand in enumerate(operands):
        scale = operand.s
        if scale is not None and scale.any():
            own = own + form(*sizes[:place], scale, *sizes[place + 1 :])
    if len(operands) == 2 and operands[0] is operands[1] and (scale := operands[0].s) is not None:
        own = own + form(scale, scale) * (current().least * current().epsilon)  # squares of what cancels to 0
    made = Traced(z, finite(own), coarse=coarse)
    made.stored = len(operands) > 1
    return made


def _absolute(value: Array) -> Array:
    """The absolute values, and the very same array where that changes nothing."""
    if value.dtype.kind in "ub" or (value.dtype.kind in "fi" and bool((value >= 0).all())):
        return value
    return np.abs(value)


def _matmul(a: Any, b: Any, *, in_place: bool = False, **keywords: Any) -> Traced:
    a, b = lift(a), lift(b)
    return multilinear(partial(np.matmul, **keywords), (a, b), a.shape[-1])


def _pair(function: Any, terms: Callable[[Traced, Traced], float]) -> None:
    def apply(a: Any, b: Any, *args: Any, **keywords: Any) -> Traced:
        a, b = lift(a), lift(b)

        def form(x: Any, y: Any) -> Any:
            return function(x, y, *args, **keywords)

        return multilinear(form, (a, b), terms(a, b))

    rule(function)(apply)


def _last(a: Traced, b: Traced) -> float:
    return a.shape[-1] if a.ndim and b.ndim else 1


_pair(np.dot, _last)
_pair(np.inner, _last)
_pair(np.vdot, lambda a, b: a.size)
_pair(np.vecdot, _last)
_pair(np.matvec, _last)
_pair(np.vecmat, _last)
_pair(np.kron, lambda a, b: 1)
_pair(np.outer, lambda a, b: 1)
_pair(np.linalg.outer, lambda a, b: 1)
_pair(np.linalg.vecdot, _last)
_pair(np.linalg.matmul, _last)
_pair(np.convolve, lambda a, b: min(a.size, b.size))
_pair(np.correlate, lambda a, b: min(a.size, b.size))
UFUNC_RULES[np.matmul] = _matmul


@rule(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Traced:
    a, b = lift(a), lift(b)
    if isinstance(axes, int):
        terms = math.prod(a.shape[a.ndim - axes :])
    else:
        first: Any = axes[0]
        terms = math.prod(a.shape[axis] for axis in ([first] if isinstance(first, int) else first))
    return multilinear(partial(np.tensordot, axes=axes), (a, b), terms)


@rule(np.einsum)
def _einsum(*operands: Any, **keywords: Any) -> Traced:
    keywords.pop("out", None)
    if not isinstance(operands[0], str):
        raise Untraceable("np.einsum without a formula in text")
    form, arrays = operands[0], [lift(one) for one in operands[1:]]
    z = np.einsum(form, *(one.v for one in arrays), **keywords)
    terms = _contracted(form, arrays, np.asarray(z))
    if len(arrays) == 1:
        # A sum, a trace or a transpose.
        x = arrays[0]
        passed = None if x.s is None else np.einsum(form, x.summand())
        own = current().of_sum(np.einsum(form, np.abs(x.v)), np.asarray(z), terms) if terms > 1 else None
        return Traced(z, passed if own is None else finite(own if passed is None else own + passed))
    return multilinear(partial(np.einsum, form, **keywords), arrays, terms)


def _contracted(form: str, arrays: Sequence[Traced], z: Array) -> float:
    """How many terms each element of a result sums."""
    sizes: dict[str, int] = {}
    taken, arrow, made = form.replace(" ", "").partition("->")
    for letters, array in zip(taken.split(","), arrays, strict=True):
        head, dots, tail = letters.partition("...")
        shape = array.shape
        sizes |= dict(zip(head, shape, strict=False))
        if dots and tail:
            sizes |= dict(zip(tail, shape[-len(tail) :], strict=True))
    if not arrow:
        counts = {letter: taken.count(letter) for letter in sizes}
        made = "".join(letter for letter, count in counts.items() if count == 1)
    return float(math.prod(size for letter, size in sizes.items() if letter not in made))


@rule(np.cross)
def _cross(a: Any, b: Any, axis: int = -1, **keywords: Any) -> Any:
    a, b = lift(a), lift(b)
    if keywords or a.shape[axis] != 3 or b.shape[axis] != 3:
        raise Untraceable("np.cross other than of three elements")
    x, y = np.moveaxis(a, axis, -1), np.moveaxis(b, axis, -1)
    parts = [x[..., i] * y[..., j] - x[..., j] * y[..., i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return np.stack(parts, axis)


@rule(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = lift(x)
    matrix = (axis is None and x.ndim == 2) or isinstance(axis, tuple)
    size = np.abs(x)
    if ord in (None, "fro") or (ord == 2 and not matrix):
        return np.sqrt(np.sum(size * size, axis=axis, keepdims=keepdims))
    if matrix:
        raise Untraceable(f"np.linalg.norm of a matrix with ord={ord!r}")
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    if ord in (math.inf, -math.inf):
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum((x != 0) * 1.0, axis=axis, keepdims=keepdims)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def _solved(a: Traced, x: Array, residual: Array) -> Traced:
    """The solution of linear equations: `|A^-1| (|A| |x| + errors of A and b)` (Higham, section 7.2)."""
    inverse = np.abs(np.linalg.inv(a.v))
    n = a.shape[-1]
    growth = current().accumulated * (1 + np.sqrt(n))
    size = np.abs(x) if x.ndim == a.ndim else np.abs(x)[..., None]
    residual = residual if x.ndim == a.ndim else residual[..., None]
    scale = inverse @ (growth * (np.abs(a.v) @ size) + a.scale() @ size + residual)
    return Traced(x, finite(scale.reshape(x.shape)))


@rule(np.linalg.solve)
def _solve(a: Any, b: Any) -> Traced:
    a, b = lift(a), lift(b)
    return _solved(a, np.linalg.solve(a.v, b.v), b.scale() + np.abs(b.v) * current().elementwise)


@rule(np.linalg.inv)
def _inverse(a: Any) -> Traced:
    a = lift(a)
    return _solved(a, np.linalg.inv(a.v), np.broadcast_to(np.zeros(()), a.shape))


@rule(np.linalg.det)
def _determinant(a: Any) -> Traced:
    """The sum of the absolute values of cofactors times elements bounds what elimination loses."""
    a = lift(a)
    z = np.linalg.det(a.v)
    inverse = np.swapaxes(np.abs(np.linalg.inv(a.v)), -1, -2)
    moved = inverse * (a.scale() + np.abs(a.v) * current().accumulated)
    return Traced(z, finite(np.abs(z) * moved.sum(axis=(-1, -2)) * a.shape[-1]))


@rule(np.linalg.slogdet)
def _log_determinant(a: Any) -> tuple[Any, Any]:
    sign, size = np.linalg.slogdet(lift(a).v)
    moved = _determinant(a)
    return Traced(sign), Traced(size, finite(moved.scale() / np.abs(moved.v)) + np.abs(size))


@rule(np.linalg.lstsq)
def _least_squares(a: Any, b: Any, rcond: Any = None) -> tuple[Any, ...]:
    """As the normal equations, which is what kernels solve."""
    a, b = lift(a), lift(b)
    found = np.linalg.lstsq(a.v, b.v, rcond=rcond)
    gram = a.T @ a
    right = a.T @ b
    scale = _solved(gram, found[0], right.scale())
    return (scale, lift(found[1]), int(found[2]), lift(found[3]))


@rule(np.linalg.cholesky)
def _cholesky(a: Any) -> Traced:
    """Through the inverse of the factor: an error E of A moves L by at most `|L| (|L^-1| |E| |L^-T|)`."""
    a = lift(a)
    z = np.linalg.cholesky(a.v)
    inverse, factor = np.abs(np.linalg.inv(z)), np.abs(z)
    error = a.scale() + current().accumulated * (factor @ np.swapaxes(factor, -1, -2)) * (
        1 + np.sqrt(a.shape[-1])
    )
    return Traced(z, finite(np.tril(factor @ np.tril(inverse @ error @ np.swapaxes(inverse, -1, -2)))))


@rule(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    if n < 1:
        raise Untraceable("np.linalg.matrix_power below 1")
    made: Any = lift(a)
    for _ in range(n - 1):
        made = made @ a
    return made


@rule(np.linalg.multi_dot)
def _chain(arrays: Any) -> Any:
    made: Any = lift(arrays[0])
    for one in arrays[1:]:
        made = made @ one
    return made


def _fourier(function: Any, whole: bool) -> None:
    """A transform sums all elements of its axes, times numbers of size 1."""

    def apply(x: Any, *args: Any, **keywords: Any) -> Traced:
        x = lift(x)
        z = function(x.v, *args, **keywords)
        axes = _transformed(x, whole, args, keywords)
        each = (
            np.abs(x.v)
            * current().accumulated
            * (2 + math.log2(max(2, math.prod(x.shape[axis] for axis in axes))))
        )
        total = np.sum(each + x.scale(), axis=axes, keepdims=True)
        inverse = function.__name__.startswith("i")
        norm = keywords.get("norm")
        count = float(math.prod(z.shape[axis] for axis in axes))
        if norm == "ortho":
            total = total / math.sqrt(count)
        elif (norm == "forward") != inverse:
            total = total / count
        return Traced(z, np.broadcast_to(total, z.shape).copy())

    rule(function)(apply)


def _transformed(x: Traced, whole: bool, args: Sequence[Any], keywords: dict[str, Any]) -> tuple[int, ...]:
    if len(args) > 1:
        raise Untraceable("a Fourier transform with its axes by position")
    if whole:
        two = keywords.get("axes")
        return tuple(two) if two is not None else tuple(range(x.ndim))
    return (keywords.get("axis", -1),)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _fourier(getattr(np.fft, _name), whole=False)
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _fourier(getattr(np.fft, _name), whole=True)


for _ufunc in (np.vecdot, np.matvec, np.vecmat):
    UFUNC_RULES[_ufunc] = FUNCTION_RULES.pop(_ufunc)
FUNCTION_RULES[np.linalg.tensordot] = FUNCTION_RULES[np.tensordot]
FUNCTION_RULES[np.linalg.cross] = FUNCTION_RULES[np.cross]


def _plane(function: Any, general: Any) -> None:
    def apply(x: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
        return general(x, s=s, axes=axes, norm=norm)

    rule(function)(apply)


_plane(np.fft.fft2, np.fft.fftn)
_plane(np.fft.ifft2, np.fft.ifftn)
_plane(np.fft.rfft2, np.fft.rfftn)
