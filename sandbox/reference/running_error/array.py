"""The array that carries its error scale through a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from sandbox.dtypes import FLOATS
from sandbox.reference.running_error.precision import HALVES, Array, Untraceable, current, np

Move = Callable[[Any], Any]
UFUNC_RULES: dict[Any, Callable[..., Any]] = {}
"""By ufunc, its rule: values and scales of the operands in, a `Traced` out."""

FUNCTION_RULES: dict[Any, Callable[..., Any]] = {}
"""By NumPy function, what takes its place for traced arrays."""

METHOD_RULES: dict[tuple[str, Any], Callable[..., Any]] = {}
"""By the name of a ufunc's method and the ufunc, what takes its place."""


def rule(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the rule of NumPy functions."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for one in functions:
            FUNCTION_RULES[one] = function
        return function

    return register


class Traced(numpy.lib.mixins.NDArrayOperatorsMixin):
    """Values, and the scale of their error: the error is about epsilon times the scale.

    Attributes:
        v: The values, just as NumPy computes them.
        last: The own rounding of the last operation in units of `|v|`: a sum of these terms, computed in its
            accumulator's precision, has only that much of it.
        narrow: All values fit 16 bits exactly, so that tensor cores may multiply them.
        coarse: Where an output is half precision, arithmetic on these may be too. What follows from indices and
            constants alone, as an angle from a position, is computed in float32.
        stored: A sum, of products or not, which a kernel may store in the output's own dtype before it goes on.
    """

    __array_priority__ = 1000
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(
        self, v: Any, s: Any = None, *, last: float = 0.0, narrow: bool = False, coarse: bool = True
    ) -> None:
        """Take values, and a scale that can be broadcast to them; None where they are exact."""
        current().spend()
        self.v: Any = np.asarray(v)
        self.last = last
        self.narrow = narrow
        self.coarse = coarse
        self.stored = False
        self._parent: tuple[Traced, Move] | None = None
        if s is not None:
            s = np.asarray(s, np.float64)
            if s.shape != self.v.shape:
                s = np.broadcast_to(s, self.v.shape).copy()
        self._s: Array | None = s

    @property
    def s(self) -> Array | None:
        """The scale; None where all values are exact."""
        if self._s is None and self._parent is not None:
            above, move = self._parent
            if above.s is not None:
                self._s = _as_view(move(above.s), above.s)
        return self._s

    def scale(self) -> Array:
        """The scale, zeros where values are exact."""
        s = self.s
        return np.zeros(self.v.shape) if s is None else s

    def summand(self) -> Array:
        """The scale as terms of a sum: the last operation counts in the precision of the accumulator."""
        precision = current()
        if not self.last or not self.coarse or precision.accumulated == precision.elementwise:
            return self.scale()
        less = self.last * (precision.elementwise - precision.accumulated)
        return np.maximum(self.scale() - less * np.abs(self.v), 0)

    def once_stored(self) -> Traced:
        """Return the same as an operand of arithmetic on elements: a sum was rounded once on the way."""
        own = current().elementwise - current().accumulated
        if not self.stored or not self.coarse or own <= 0:
            return self
        return Traced(self.v, self.scale() + own * finite(np.abs(self.v)), narrow=self.narrow)

    def moved(self, v: Any, move: Move) -> Traced:
        """Return what a function that only moves elements makes of this: `v` are its values."""
        v = np.asarray(v)
        result = Traced(v, last=self.last, narrow=self.narrow, coarse=self.coarse)
        result.stored = self.stored
        if v.base is not None and np.may_share_memory(v, self.v):
            result._parent = (self, move)
        elif self.s is not None:
            result._s = np.asarray(move(self.s))
        return result

    def _own_scale(self) -> Array:
        """The scale, made to be written to."""
        if self.s is None:
            if self._parent is None:
                self._s = np.zeros_like(self.v, dtype=np.float64)
            else:
                above, move = self._parent
                scale = above._own_scale()
                self._s = _as_view(move(scale), scale)
        scale: Any = self._s
        if self._parent is None and not scale.flags.writeable:
            scale = self._s = scale.copy()
        return scale

    def __getitem__(self, key: Any) -> Traced:
        key = plain(key)
        return self.moved(self.v[key], lambda array: array[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        value = lift(value)
        where = plain(key)
        doubt = key.s if isinstance(key, Traced) else None
        before = self.v.copy() if doubt is not None and doubt.shape == self.v.shape else None
        self.v[where] = value.v
        if self.s is not None or value.s is not None:
            scale = self._own_scale()
            scale[where] = 0 if value.s is None else value.s
        if before is not None and value.v.ndim == 0:
            scale = self._own_scale()
            scale += finite(doubt * np.abs(before - value.v))
        self._hold(value)

    def _hold(self, value: Traced) -> None:
        """Become what holds such values among others."""
        self.last, self.narrow = 0.0, self.narrow and value.narrow
        self.coarse, self.stored = self.coarse or value.coarse, self.stored or value.stored
        if self._parent is not None:
            self._parent[0]._hold(value)

    def write(self, result: Traced) -> Traced:
        """Become a result: what `out=` and `+=` do."""
        if not np.can_cast(result.v.dtype, self.v.dtype, "same_kind"):
            raise Untraceable(f"it stores {result.v.dtype} into {self.v.dtype} in place")
        self[...] = result
        self.stored = result.stored
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Apply a ufunc, or one of its methods, by its rule."""
        out = kwargs.pop("out", None)
        target: Any = out[0] if out.__class__ is tuple else out
        if target is not None and not isinstance(target, Traced):
            raise Untraceable(f"np.{ufunc.__name__} writes into an array that is not traced")
        apply = UFUNC_RULES.get(ufunc) if method == "__call__" else METHOD_RULES.get((method, ufunc))
        if apply is None:
            raise Untraceable(
                f"no rule for np.{ufunc.__name__}{'' if method == '__call__' else '.' + method}"
            )
        if method == "__call__" and kwargs.get("where", True) is not True:
            where = kwargs.pop("where")
            if target is None:
                raise Untraceable(f"np.{ufunc.__name__} with where= and without out=")
            return target.write(np.where(where, apply(*inputs, **kwargs), target))
        if target is None:
            return apply(*inputs, **kwargs)
        if inputs and inputs[0] is target:
            kwargs["in_place"] = True
        return target.write(apply(*inputs, **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply a NumPy function by its rule."""
        apply = FUNCTION_RULES.get(function)
        if apply is None:
            raise Untraceable(f"no rule for np.{getattr(function, '__name__', function)}")
        target = kwargs.pop("out", None)
        result = apply(*args, **kwargs)
        return result if target is None else target.write(result)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse to lose the scale."""
        raise Untraceable("an array is taken from where NumPy does not say so")

    def __len__(self) -> int:
        return len(self.v)

    def __iter__(self) -> Iterator[Traced]:
        return (self[index] for index in range(len(self.v)))

    def __bool__(self) -> bool:
        return bool(self.v)

    def __int__(self) -> int:
        return int(self.v)

    def __index__(self) -> int:
        return self.v.__index__()

    def __float__(self) -> float:
        raise Untraceable("an element is turned into a plain number")

    def __complex__(self) -> complex:
        raise Untraceable("an element is turned into a plain number")

    def __getattr__(self, name: str) -> Any:
        if name in _SAME:
            return getattr(self.v, name)
        if name in _FUNCTIONS:
            function = getattr(np, name)
            return lambda *args, **kwargs: function(self, *args, **kwargs)  # pyright: ignore
        if name.startswith("__"):
            raise AttributeError(name)
        raise Untraceable(f"no rule for the array's attribute {name}")

    @property
    def T(self) -> Traced:
        """Transposed."""
        return self.moved(self.v.T, lambda array: array.T)

    @property
    def mT(self) -> Traced:
        """Matrices transposed."""
        return self.moved(self.v.mT, lambda array: array.mT)

    @property
    def real(self) -> Traced:
        """The real part."""
        return Traced(self.v.real, self.s, coarse=self.coarse)

    @real.setter
    def real(self, value: Any) -> None:
        self[...] = lift(value) + 1j * self.imag

    @property
    def imag(self) -> Traced:
        """The imaginary part."""
        return Traced(self.v.imag, self.s if np.iscomplexobj(self.v) else None, coarse=self.coarse)

    @imag.setter
    def imag(self, value: Any) -> None:
        self[...] = self.real + 1j * lift(value)

    @property
    def flat(self) -> Traced:
        """The elements in a row."""
        return self.reshape(-1)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Traced:
        """Convert; a narrower float rounds, a whole number truncates."""
        return converted(self, np.dtype(dtype))

    def reshape(self, *shape: Any, **kwargs: Any) -> Traced:
        """Reshape, as a view where NumPy gives one."""
        shape = plain(shape)
        return self.moved(self.v.reshape(*shape, **kwargs), lambda array: array.reshape(*shape, **kwargs))

    def transpose(self, *axes: Any) -> Traced:
        """Permute axes."""
        return self.moved(self.v.transpose(*axes), lambda array: array.transpose(*axes))

    def copy(self, *args: Any, **kwargs: Any) -> Traced:
        """Copy."""
        scale = None if self.s is None else self.s.copy()
        made = Traced(self.v.copy(), scale, last=self.last, narrow=self.narrow, coarse=self.coarse)
        made.stored = self.stored
        return made

    def flatten(self, order: str = "C") -> Traced:
        """Copy into a row."""
        return self.copy().reshape(-1, order=order)

    def view(self, *args: Any) -> Traced:
        """The same again; other dtypes have no scale."""
        if args:
            raise Untraceable("an array is seen as another dtype")
        return self[...]

    def fill(self, value: Any) -> None:
        """Fill with one value."""
        self[...] = value

    def item(self, *args: Any) -> Any:
        """One element, still traced."""
        if not args:
            return self.reshape(-1)[0] if self.v.ndim else self
        return self.reshape(-1)[args[0]] if len(args) == 1 else self[args]

    def tolist(self) -> Any:
        """Nested lists of traced elements."""
        return self if self.v.ndim == 0 else [one.tolist() for one in self]

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis=axis)

    def partition(self, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        """Partition in place."""
        self[...] = np.partition(self, kth, axis=axis)


_SAME = frozenset(("shape", "ndim", "size", "dtype", "nbytes", "itemsize", "flags", "strides", "base"))
_FUNCTIONS = frozenset(
    (
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "choose", "clip", "compress", "conj",
        "conjugate", "cumprod", "cumsum", "diagonal", "dot", "max", "mean", "min", "nonzero", "prod", "put",
        "ravel", "repeat", "round", "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "var",
    )
)  # fmt: skip


def _as_view(scale: Any, above: Array) -> Array:
    scale = np.asarray(scale)
    if scale.size and not np.may_share_memory(scale, above):
        raise Untraceable("a view is laid out unlike its scale")
    return scale


def plain(key: Any) -> Any:
    """Return the same with values in the place of traced arrays, in tuples and lists too."""
    if isinstance(key, Traced):
        return key.v
    if key.__class__ is tuple:
        return tuple(plain(one) for one in key)
    if key.__class__ is list:
        return [plain(one) for one in key]
    return key


def finite(scale: Any) -> Any:
    """Return a scale with 0 where it is not finite: there, the value says what must come out."""
    return scale if np.isfinite(np.sum(scale)) else np.where(np.isfinite(scale), scale, 0.0)


def lift(value: Any) -> Traced:
    """Trace a constant: it is off by up to half a unit where float32 does not hold it."""
    if isinstance(value, Traced):
        return value
    if isinstance(value, (list, tuple)):
        return stacked(value)
    if value is None or isinstance(value, (str, bytes)):
        raise Untraceable(f"{value!r} is used as a number")
    v = np.asarray(value)
    if v.dtype.kind not in "fc":
        return Traced(v, coarse=False)
    held = _rounded(v, "float64" if current().dtype == "float64" else "float32")
    off = (held != v) & np.isfinite(v)
    if not off.any():
        return Traced(v, coarse=False)
    return Traced(v, np.where(off, np.abs(v) * (current().accumulated / 2), 0.0), coarse=False)


def stacked(values: Any) -> Traced:
    """Trace nested lists."""
    if not any(isinstance(one, (list, tuple, Traced)) for one in values):
        return lift(np.asarray(values))
    return np.stack([lift(one) for one in values])


def narrow_input(array: Array, dtype: str) -> Traced:
    """Trace an input: exact, and fit for tensor cores where its dtype has 16 bits or fewer."""
    return Traced(array, narrow=dtype in HALVES or dtype in ("int8", "uint8", "bool"), coarse=dtype in HALVES)


def _rounded(v: Array, dtype: str) -> Array:
    if np.iscomplexobj(v):
        return _rounded(v.real, dtype) + 1j * _rounded(v.imag, dtype)
    wide = v.astype(np.float64)
    if dtype == "float64":
        return wide
    bits = FLOATS[dtype].fraction_bits + 1
    fraction, exponent = np.frexp(wide)
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits)


def converted(x: Traced, dtype: numpy.dtype[Any]) -> Traced:
    """Convert to a dtype."""
    v = x.v.astype(dtype)
    if x.s is None:
        return Traced(v, narrow=x.narrow, coarse=x.coarse)
    if dtype.kind in "iu" and x.v.dtype.kind == "f":
        return Traced(v, np.trunc(x).s)
    if dtype.kind == "b":
        return x != 0
    epsilon, precision = (FLOATS[dtype.name].epsilon if dtype.name in FLOATS else 0.0), current()
    if epsilon <= precision.epsilon:
        made = Traced(v, x.s, last=x.last, narrow=x.narrow, coarse=x.coarse)
        made.stored = x.stored
        return made
    # Rounded in the reference itself: what is right may round to the neighbour.
    return Traced(v, x.s + precision.jump(np.abs(x.v) * epsilon, np.where(x.s > 0, 0.0, np.inf)))
