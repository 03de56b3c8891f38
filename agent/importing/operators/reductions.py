"""Reductions, scans and orders."""

from __future__ import annotations

from typing import Any, cast

from agent.importing.translation import Operand, Translator, axes_text, number, operator


def _axes(x: Operand, dims: Any) -> str:
    """`axis=...`, or nothing where all axes are meant."""
    if dims is None or dims == []:
        return ""
    given = cast("list[int]", dims if isinstance(dims, list) else [dims])
    return f"axis={axes_text([x.axis(dim) for dim in given])}"


def _call(x: Operand, name: str, dims: Any, keep: bool, *more: str) -> str:
    words = [word for word in (_axes(x, dims), *more, "keepdims=True" if keep else "") if word]
    return f"{x}.{name}({', '.join(words)})"


def _plain(name: str) -> Any:
    def write(t: Translator, x: Operand, dims: Any = None, keepdim: bool = False, dtype: Any = None) -> str:
        return _call(x, name, dims, keepdim)

    return write


for _name, _method in {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "prod": "prod"}.items():
    operator(_name)(_plain(_method))


@operator("any", "all")
def truths(t: Translator, x: Operand, dims: Any = None, keepdim: bool = False) -> str:
    """Whether any holds, or all do."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    words = ", ".join(word for word in (_axes(x, dims), "keepdims=True" if keepdim else "") if word)
    return f"np.{name}({x} != 0{', ' + words if words else ''})"


@operator("max", "min", "max.dim", "min.dim")
def extreme(t: Translator, x: Operand, dim: Any = None, keepdim: bool = False) -> str | list[str]:
    """The largest or least, and where it is first."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    if dim is None:
        return f"{x}.{name}()"
    where = f"{x}.arg{name}(axis={x.axis(dim)})"
    place = f"np.expand_dims({where}, {x.axis(dim)})" if keepdim else where
    return [_call(x, name, dim, keepdim), place]


@operator("argmax", "argmin")
def argument(t: Translator, x: Operand, dim: Any = None, keepdim: bool = False) -> str:
    """Where the largest or least is first."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    if dim is None:
        return f"{x}.{name}()"
    where = f"{x}.{name}(axis={x.axis(dim)})"
    return f"np.expand_dims({where}, {x.axis(dim)})" if keepdim else where


@operator("var", "std", "var_mean", "std_mean")
def spread(
    t: Translator,
    x: Operand,
    dims: Any = None,
    correction: Any = None,
    keepdim: bool = False,
    unbiased: Any = None,
) -> str | list[str]:
    """Variance or deviation; over one less than there are, unless told otherwise."""
    assert t.node is not None
    if isinstance(dims, bool):  # the overload without axes
        dims, correction = None, int(dims)
    if isinstance(correction, bool):
        correction = int(correction)
    fewer = 1 if correction is None else correction
    name = t.node.operator.split(".")[1].split("_")[0]
    found = _call(x, name, dims, keepdim, f"ddof={number(fewer)}" if fewer else "")
    return [found, _call(x, "mean", dims, keepdim)] if "_mean" in t.node.operator else found


@operator("logsumexp")
def logsumexp(t: Translator, x: Operand, dims: Any, keepdim: bool = False) -> str:
    """The logarithm of a sum of exponentials, without overflow."""
    top = t.let("top", _call(x, "max", dims, True))
    total = t.let("total", f"np.log(np.exp({x} - {top}).sum({_axes(x, dims)}, keepdims=True)) + {top}")
    if keepdim:
        return total
    shape = t.result_shape()
    return f"{total}.reshape({', '.join(shape)})" if shape else f"{total}.reshape(())"


@operator("linalg_vector_norm", "norm", "linalg_norm", "frobenius_norm")
def norm(t: Translator, x: Operand, *arguments: Any, dtype: Any = None) -> str:
    """A norm; of a matrix, that of its elements."""
    given = list(arguments)
    assert t.node is not None
    order = given.pop(0) if given and not isinstance(given[0], list | bool) else 2
    order = 2 if order in (None, "fro") else order
    dims = given.pop(0) if given else None
    keep = bool(given.pop(0)) if given else False
    where = cast("list[int] | None", dims if dims is None or isinstance(dims, list) else [dims])
    if order == 2:
        squares = Operand(t.let("squares", f"{x} ** 2"), x.dtype, x.shape)
        return f"np.sqrt({_call(squares, 'sum', where, keep)})"
    sizes = Operand(t.let("sizes", f"np.abs({x})"), x.dtype, x.shape)
    if order == 1:
        return _call(sizes, "sum", where, keep)
    if order == float("inf"):
        return _call(sizes, "max", where, keep)
    raise t.refuse(f"the norm of order {order}")


@operator("cumsum", "cumprod")
def scan(t: Translator, x: Operand, dim: int, dtype: Any = None) -> str:
    """Running sums or products."""
    assert t.node is not None
    return f"np.{t.node.operator.split('.')[1]}({x}, axis={x.axis(dim)})"


@operator("cummax", "cummin")
def running_extreme(t: Translator, x: Operand, dim: int) -> list[str]:
    """The largest or least so far; where it is, is not translated."""
    assert t.node is not None
    name = "maximum" if "cummax" in t.node.operator else "minimum"
    return [f"np.{name}.accumulate({x}, axis={x.axis(dim)})", ""]


@operator("sort")
def sort(t: Translator, x: Operand, dim: int = -1, descending: bool = False) -> list[str]:
    """Sorted values, and their places."""
    axis = x.axis(dim)
    if descending:
        turned = ":, " * axis + "::-1"
        return [f"np.sort({x}, axis={axis})[{turned}]", ""]
    return [f"np.sort({x}, axis={axis})", f"np.argsort({x}, axis={axis}, kind='stable')"]


@operator("topk")
def topk(
    t: Translator, x: Operand, k: Any, dim: int = -1, largest: bool = True, ordered: bool = True
) -> list[str]:
    """The largest values, largest first."""
    axis = x.axis(dim)
    before = ":, " * axis
    if largest:
        return [f"np.sort({x}, axis={axis})[{before}::-1][{before}:{k}]", ""]
    return [f"np.sort({x}, axis={axis})[{before}:{k}]", ""]
