"""The modules that a reference imports while it is traced: NumPy whose new arrays are traced, `math` for elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from sandbox.reference import special, torch_operators
from sandbox.reference.running_error.array import (
    FUNCTION_RULES,
    UFUNC_RULES,
    Traced,
    converted,
    finite,
    lift,
    plain,
    stacked,
)
from sandbox.reference.running_error.elementwise import result
from sandbox.reference.running_error.polynomials import NAMES as POLYNOMIALS
from sandbox.reference.running_error.precision import Untraceable, current, np


class Overlay(ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, module: ModuleType, names: Mapping[str, Any]) -> None:
        """Take the module, and what takes the place of its names."""
        super().__init__(module.__name__)
        self._module = module
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Call:
    """A function or ufunc of NumPy that takes lists of traced elements as arrays, which it would not ask about."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._function(*(_array_of(one) for one in args), **keywords)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._function, name)
        return _Call(found) if callable(found) and not name.startswith("_") else found


def _array_of(value: Any) -> Any:
    return stacked(value) if value.__class__ in (list, tuple) and _holds_traced(value) else value


def _holds_traced(values: Any) -> bool:
    nested = (one for one in values if one.__class__ in (list, tuple))
    return any(isinstance(one, Traced) for one in values) or any(_holds_traced(one) for one in nested)


class _Numpy(Overlay):
    """NumPy; functions of sequences of arrays are left as they are."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        if name in _OF_SEQUENCES or not (isinstance(found, np.ufunc) or _has_rule(found)):
            return found
        self.__dict__[name] = wrapped = _Call(found)
        return wrapped


_OF_SEQUENCES = frozenset(
    ("concatenate", "concat", "stack", "vstack", "hstack", "dstack", "column_stack", "block", "select", "choose",
     "piecewise", "meshgrid", "broadcast_arrays", "lexsort", "where", "nonzero", "unravel_index", "ravel_multi_index")
)  # fmt: skip


def _has_rule(function: Any) -> bool:
    return callable(function) and not isinstance(function, type) and function in FUNCTION_RULES


def _elements(x: Any, **keywords: Any) -> Any:
    if keywords:
        raise Untraceable("np.nditer with options")
    return iter(lift(x).reshape(-1))


class _ArrayKind(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (Traced, np.ndarray))


class _Array(metaclass=_ArrayKind):
    """What `isinstance(x, np.ndarray)` asks about."""


class _ScalarType:
    """A scalar type of NumPy: names a dtype, and converts."""

    def __init__(self, name: str) -> None:
        self.dtype = np.dtype(name)

    def __call__(self, value: Any = 0) -> Any:
        return converted(value, self.dtype) if isinstance(value, Traced) else self.dtype.type(plain(value))


def _array(*, copies: bool) -> Callable[..., Traced]:
    def apply(value: Any, dtype: Any = None, *, copy: Any = None, ndmin: int = 0, **keywords: Any) -> Traced:
        found = lift(list(value) if isinstance(value, range) else value)
        if dtype is not None and np.dtype(dtype) != found.v.dtype:
            found = converted(found, np.dtype(dtype))
        elif found is value and copies and copy is not False:
            found = found.copy()
        return found.reshape((1,) * (ndmin - found.ndim) + found.shape) if found.ndim < ndmin else found

    return apply


def _made(function: Any, *, narrow: bool = False) -> Callable[..., Traced]:
    """A function that makes arrays of plain numbers: writable, and exact where the output's dtype holds them."""

    def apply(*args: Any, **keywords: Any) -> Traced:
        keywords.pop("like", None)
        values = {name: plain(value) for name, value in keywords.items()}
        found = lift(np.array(function(*plain(args), **values)))
        found.narrow = narrow
        return found

    return apply


def _full(shape: Any, value: Any, dtype: Any = None, **keywords: Any) -> Traced:
    value = lift(value)
    found = Traced(np.zeros(plain(shape), dtype or value.v.dtype), coarse=False)
    found[...] = value
    return found


def _from_function(function: Any, shape: Any, *, dtype: Any = float, **keywords: Any) -> Any:
    return function(
        *(Traced(one, coarse=False) for one in np.indices(shape, dtype=np.dtype(dtype))), **keywords
    )


def _from_iterable(values: Any, dtype: Any = None, count: int = -1) -> Traced:
    found = list(values)
    return _array(copies=True)(found if count < 0 else found[:count], dtype)


class _Vectorized:
    """`np.vectorize` of a function of one element: the derivative by differences, an own error as of a function."""

    def __init__(self, function: Any, *args: Any, **keywords: Any) -> None:
        if keywords.get("signature") is not None:
            raise Untraceable("np.vectorize with a signature")
        self._function = function
        self._plain = np.vectorize(function, otypes=keywords.get("otypes") or (args[0] if args else None))

    def __call__(self, *operands: Any, **keywords: Any) -> Any:
        if keywords:
            raise Untraceable("np.vectorize with named arguments")
        if self._function in _ELEMENTS.values() and len(operands) == 1:
            return self._function(lift(operands[0]))
        arrays = [lift(one) for one in operands]
        values = [array.v for array in arrays]
        with_floats = self._plain(*values)
        passed: Any = 0.0
        for place, array in enumerate(arrays):
            if array.v.dtype.kind != "f":
                continue
            step = np.maximum(np.abs(array.v), 1e-6) * 2.0**-20
            moved = [
                self._plain(*values[:place], array.v + sign * step, *values[place + 1 :]) for sign in (1, -1)
            ]
            slope = np.maximum(np.abs(moved[0] - with_floats), np.abs(moved[1] - with_floats)) / step
            # Inside, the function rounds as often as it likes: count every operand as rounded once.
            passed = passed + slope * (array.scale() + np.abs(array.v) * current().elementwise)
        return result(with_floats, finite(passed), 4)


def _from_python(function: Any, nin: int, nout: int, **keywords: Any) -> Any:
    if nout != 1:
        raise Untraceable("np.frompyfunc with several results")
    return _Vectorized(function)


def _open_mesh(*axes: Any) -> Any:
    return np.ix_(*plain(axes))


def _as_strided(x: Any, shape: Any = None, strides: Any = None, **keywords: Any) -> Traced:
    x = lift(x)
    scale = x.scale()
    if not (x.v.flags.c_contiguous and scale.flags.c_contiguous and x.v.itemsize == scale.itemsize):
        raise Untraceable("np.lib.stride_tricks.as_strided of an array that is not contiguous")
    view = np.lib.stride_tricks.as_strided
    return Traced(
        view(x.v, shape, strides), None if x.s is None else view(scale, shape, strides), narrow=x.narrow
    )


class _Row:
    """`np.r_` of arrays and numbers, along the first axis."""

    def __getitem__(self, key: Any) -> Any:
        return np.concatenate(self._parts(key))

    def _parts(self, key: Any) -> list[Any]:
        given: Any = key if key.__class__ is tuple else (key,)
        return [self._part(one) for one in given]

    @staticmethod
    def _part(one: Any) -> Any:
        if isinstance(one, str):
            raise Untraceable("np.r_ with an axis in text")
        return lift(np.r_[one]) if isinstance(one, slice) else np.atleast_1d(lift(one))


class _Columns(_Row):
    """`np.c_`: vectors are columns."""

    def __getitem__(self, key: Any) -> Any:
        parts = self._parts(key)
        return np.concatenate([one[:, None] if one.ndim == 1 else one for one in parts], axis=-1)


def _element(name: str) -> Callable[..., Any]:
    """A function of `math`, of plain numbers or of traced elements."""
    own, ufunc = getattr(math, name), _UFUNCS[name]

    def apply(*args: Any) -> Any:
        if not any(isinstance(one, Traced) for one in args):
            return own(*args)
        if name == "log" and len(args) == 2:
            return np.log(lift(args[0])) / np.log(lift(args[1]))
        found = UFUNC_RULES[ufunc](*args)
        return converted(found, np.dtype(np.int64)) if name in ("floor", "ceil", "trunc") else found

    return apply


_UFUNCS: dict[str, Any] = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh, "pow": np.power, "fabs": np.fabs, "floor": np.floor, "ceil": np.ceil,
    "trunc": np.trunc, "fmod": np.fmod, "hypot": np.hypot, "copysign": np.copysign, "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite, "degrees": np.degrees, "radians": np.radians, "erf": special.ERF, "erfc": special.ERFC,
    "gamma": special.GAMMA, "lgamma": special.LGAMMA, "ldexp": np.ldexp,
}  # fmt: skip


def _sum_of_list(values: Any) -> Any:
    return np.sum(lift(list(values)))


def _product_of_list(values: Any, *, start: Any = 1) -> Any:
    return np.prod(lift(list(values))) * start


_ELEMENTS = {name: _element(name) for name in _UFUNCS}
_MATH = _ELEMENTS | {"fsum": _sum_of_list, "prod": _product_of_list}
_SCALARS = (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
)  # fmt: skip


def _windows() -> ModuleType:
    return Overlay(np.lib.stride_tricks, {"as_strided": _as_strided})


def _polynomials() -> dict[str, ModuleType]:
    return {name: Overlay(module, replaced) for name, (module, replaced) in POLYNOMIALS.items()}


def _numpy() -> ModuleType:
    names: dict[str, Any] = {name: _ScalarType(name) for name in _SCALARS}
    names |= {
        name: _array(copies=False)
        for name in ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray")
    }
    names |= {
        name: _made(getattr(np, name), narrow=True) for name in ("zeros", "ones", "eye", "identity", "tri")
    }
    names |= {
        name: _made(getattr(np, name))
        for name in (
            "arange", "linspace", "logspace", "geomspace", "hanning", "hamming", "blackman", "bartlett", "kaiser",
            "indices",
        )
    }  # fmt: skip
    return _Numpy(
        np,
        names
        | {
            "array": _array(copies=True),
            "empty": _made(np.zeros, narrow=True),
            "full": _full,
            "fromfunction": _from_function,
            "fromiter": _from_iterable,
            "vectorize": _Vectorized,
            "frompyfunc": _from_python,
            "ndarray": _Array,
            "ix_": _open_mesh,
            "nditer": _elements,
            "r_": _Row(),
            "c_": _Columns(),
            "lib": Overlay(np.lib, {"stride_tricks": _windows()}),
            "polynomial": Overlay(np.polynomial, _polynomials()),
        },
    )


def as_float(value: Any = 0.0) -> Any:
    """Take the place of `float(x)`: an element stays traced."""
    return converted(value, np.dtype(np.float64)) if isinstance(value, Traced) else float(value)


def as_complex(real: Any = 0.0, imag: Any = 0.0) -> Any:
    """Take the place of `complex(x, y)`."""
    if isinstance(real, Traced) or isinstance(imag, Traced):
        return real + 1j * imag
    return complex(real, imag)


def modules() -> dict[str, ModuleType]:
    """Return what a traced reference gets in the place of a module, by its name."""
    return {
        "numpy": _numpy(),
        torch_operators.MODULE: _untraceable_operators(),
        "math": Overlay(math, _MATH),
        "numpy.lib.stride_tricks": _windows(),
        "numpy.polynomial": Overlay(np.polynomial, _polynomials()),
        **{f"numpy.polynomial.{name}": module for name, module in _polynomials().items()},
    }


def _untraceable_operators() -> ModuleType:
    def aten(name: str, *arguments: Any, **keywords: Any) -> Any:
        raise Untraceable(f"PyTorch's own operator {name}")

    facade = ModuleType(torch_operators.MODULE)
    facade.__dict__["aten"] = aten
    return facade
