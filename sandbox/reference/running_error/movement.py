"""Rules of functions that move elements: the scale moves along, by the very same call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.reference.running_error.array import Traced, lift, plain, rule
from sandbox.reference.running_error.precision import Untraceable, np


def _move(function: Any) -> None:
    def apply(x: Any, *args: Any, **keywords: Any) -> Traced:
        x, args = lift(x), plain(args)
        keywords = {name: plain(value) for name, value in keywords.items()}

        def move(array: Any) -> Any:
            return function(array, *args, **keywords)

        return x.moved(move(x.v), move)

    rule(function)(apply)


for _function in (
    np.reshape, np.transpose, np.permute_dims, np.matrix_transpose, np.flip, np.flipud, np.fliplr, np.roll, np.rot90,
    np.squeeze, np.expand_dims, np.swapaxes, np.moveaxis, np.rollaxis, np.repeat, np.tile, np.ravel, np.broadcast_to,
    np.diagonal, np.diag, np.diagflat, np.triu, np.tril, np.take, np.take_along_axis, np.delete, np.compress,
    np.lib.stride_tricks.sliding_window_view, np.fft.fftshift, np.fft.ifftshift, np.resize, np.extract,
    np.trim_zeros, np.unstack, np.linalg.diagonal, np.linalg.matrix_transpose,
):  # fmt: skip
    _move(_function)


@rule(np.compress)
def _compress(condition: Any, x: Any, axis: Any = None) -> Traced:
    x, condition = lift(x), plain(condition)

    def move(array: Any) -> Any:
        return np.compress(condition, array, axis=axis)

    return x.moved(move(x.v), move)


@rule(np.extract)
def _extract(condition: Any, x: Any) -> Any:
    return lift(x)[plain(condition)]


def _join(function: Any) -> None:
    """Functions of a sequence of arrays."""

    def apply(arrays: Any, *args: Any, **keywords: Any) -> Traced:
        parts = [lift(one) for one in arrays]
        z = function([part.v for part in parts], *args, **keywords)
        last, narrow = max((part.last for part in parts), default=0.0), all(part.narrow for part in parts)
        coarse = any(part.coarse for part in parts)
        if all(part.s is None for part in parts):
            return Traced(z, narrow=narrow, coarse=coarse)
        keywords.pop("dtype", None)
        scale = function([part.scale() for part in parts], *args, **keywords)
        # The summand of parts that were made otherwise than the last is bounded by what they have.
        even = all(part.last == last for part in parts)
        return Traced(z, scale, last=last if even else 0.0, narrow=narrow, coarse=coarse)

    rule(function)(apply)


for _function in (np.concatenate, np.concat, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack):
    _join(_function)


@rule(np.block)
def _block(arrays: Any) -> Any:
    if arrays.__class__ is not list:
        return lift(arrays)
    inner = [_block(one) for one in arrays]
    depth = 0
    below: Any = arrays
    while below.__class__ is list:
        depth, below = depth + 1, below[0]
    wide = [np.reshape(one, (1,) * max(0, depth - one.ndim) + one.shape) for one in inner]
    return np.concatenate(wide, axis=-depth)


def _split(function: Any) -> None:
    def apply(x: Any, where: Any, *args: Any, **keywords: Any) -> list[Traced]:
        x, where = lift(x), plain(where)

        def part(index: int) -> Callable[[Any], Any]:
            return lambda array: function(array, where, *args, **keywords)[index]

        pieces = function(x.v, where, *args, **keywords)
        return [x.moved(piece, part(index)) for index, piece in enumerate(pieces)]

    rule(function)(apply)


for _function in (np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit):
    _split(_function)


@rule(np.unstack)
def _unstack(x: Any, *, axis: int = 0) -> tuple[Any, ...]:
    return tuple(np.moveaxis(lift(x), axis, 0))


@rule(np.pad)
def _pad(x: Any, width: Any, mode: Any = "constant", **keywords: Any) -> Traced:
    x, width = lift(x), plain(width)
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap", "empty"):
        raise Untraceable(f"np.pad with mode={mode!r}")
    keywords = {name: plain(value) for name, value in keywords.items()}
    z = np.pad(x.v, width, mode=mode, **keywords)
    others = {} if mode == "constant" else keywords
    scale = None if x.s is None else np.pad(x.s, width, mode=mode, **others)
    fits = mode != "constant" or not keywords
    return Traced(z, scale, last=x.last, narrow=x.narrow and fits)


@rule(np.append)
def _append(x: Any, values: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.concatenate([np.ravel(lift(x)), np.ravel(lift(values))])
    return np.concatenate([lift(x), lift(values)], axis=axis)


@rule(np.insert)
def _insert(x: Any, where: Any, values: Any, axis: Any = None) -> Traced:
    x, values, where = lift(x), lift(values), plain(where)
    z = np.insert(x.v, where, values.v, axis=axis)
    if x.s is None and values.s is None:
        return Traced(z)
    return Traced(z, np.insert(x.scale(), where, values.scale(), axis=axis))


@rule(np.atleast_1d)
def _at_least_1d(x: Any) -> Any:
    x = lift(x)
    return x if x.ndim else x.reshape(1)


@rule(np.atleast_2d)
def _at_least_2d(x: Any) -> Any:
    x = _at_least_1d(x)
    return x if x.ndim > 1 else x[None, :]


@rule(np.atleast_3d)
def _at_least_3d(x: Any) -> Any:
    x = _at_least_2d(x)
    return x if x.ndim > 2 else x[:, :, None]


@rule(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, **keywords: Any) -> tuple[Any, ...]:
    parts = [lift(one) for one in arrays]
    shape = np.broadcast_shapes(*(part.shape for part in parts))
    return tuple(np.broadcast_to(part, shape) for part in parts)


@rule(np.meshgrid)
def _meshgrid(*arrays: Any, **keywords: Any) -> list[Any]:
    parts = [lift(one) for one in arrays]
    values = np.meshgrid(*(part.v for part in parts), **keywords)
    scales = np.meshgrid(*(part.scale() for part in parts), **keywords)
    pairs = zip(parts, values, scales, strict=True)
    return [
        Traced(np.array(v), None if part.s is None else np.array(s), coarse=part.coarse)
        for part, v, s in pairs
    ]


@rule(np.copyto)
def _copyto(target: Any, source: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not isinstance(target, Traced):
        raise Untraceable("np.copyto into an array that is not traced")
    target[...] = source if where is True else np.where(where, source, target)


@rule(np.put_along_axis)
def _put_along_axis(x: Any, indices: Any, values: Any, axis: int) -> None:
    values, indices = lift(values), plain(indices)
    z, scale = x.v.copy(), x.scale().copy()
    np.put_along_axis(z, indices, values.v, axis)
    np.put_along_axis(scale, indices, values.scale(), axis)
    x[...] = Traced(z, scale if scale.any() else None)


@rule(np.fill_diagonal)
def _fill_diagonal(x: Any, value: Any, wrap: bool = False) -> None:
    value = lift(value)
    z, scale = x.v.copy(), x.scale().copy()
    np.fill_diagonal(z, value.v, wrap)
    np.fill_diagonal(scale, value.scale(), wrap)
    x[...] = Traced(z, scale if scale.any() else None)


@rule(np.putmask)
def _putmask(x: Any, mask: Any, values: Any) -> None:
    x[...] = np.where(mask, values, x)


@rule(np.put)
def _put(x: Any, indices: Any, values: Any, **keywords: Any) -> None:
    x.reshape(-1)[plain(indices)] = values


@rule(np.place)
def _place(x: Any, mask: Any, values: Any) -> None:
    count = int(np.count_nonzero(plain(mask)))
    x[plain(mask)] = np.resize(lift(values), count)


@rule(np.copy)
def _copy(x: Any, **keywords: Any) -> Traced:
    return lift(x).copy()


def _like(value: float | None) -> Callable[..., Traced]:
    def apply(x: Any, fill: Any = None, dtype: Any = None, *, shape: Any = None, **keywords: Any) -> Traced:
        x = lift(x)
        if value is not None and fill is not None:
            dtype, fill = fill, None  # by position, the second of these is the dtype
        z = np.zeros_like(x.v, dtype=dtype, shape=shape)
        made = Traced(z, narrow=True, coarse=False)
        if value is None:
            made[...] = fill
        elif value:
            made.v[...] = value
        return made

    return apply


rule(np.zeros_like, np.empty_like)(_like(0.0))
rule(np.ones_like)(_like(1.0))
rule(np.full_like)(_like(None))


@rule(np.shape)
def _shape(x: Any) -> Any:
    return lift(x).shape


@rule(np.ndim)
def _ndim(x: Any) -> Any:
    return lift(x).ndim


@rule(np.size)
def _size(x: Any, axis: Any = None) -> Any:
    return lift(x).size if axis is None else lift(x).shape[axis]


@rule(np.real)
def _real(x: Any) -> Any:
    return lift(x).real


@rule(np.imag)
def _imag(x: Any) -> Any:
    return lift(x).imag


@rule(np.result_type)
def _result_type(*operands: Any) -> Any:
    return np.result_type(*(plain(one) for one in operands))


@rule(np.may_share_memory, np.shares_memory)
def _shares(x: Any, y: Any, *args: Any) -> bool:
    return np.may_share_memory(plain(x), plain(y))
