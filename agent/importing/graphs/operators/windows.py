"""Convolutions and pooling: what looks through windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agent.importing.graphs.operators.layout import padded
from agent.importing.graphs.translation import (
    Operand,
    SizeText,
    Translator,
    axes_text,
    number,
    operator,
    tuple_text,
)

_SPACE = "xyz"
_TAPS = "ijk"


def _each(value: Any, count: int) -> list[Any]:
    values = cast("list[Any]", value if isinstance(value, list) else [value])
    return values * count if len(values) == 1 else list(values)


def _reach(size: Any, dilation: int) -> Any:
    """How many elements a window spans."""
    if dilation == 1:
        return size
    return (size - 1) * dilation + 1 if isinstance(size, int) else SizeText(f"({size} - 1) * {dilation} + 1")


def _windows(
    t: Translator, x: Operand, sizes: Sequence[Any], strides: Sequence[int], dilations: Sequence[int]
) -> str:
    """Windows over the last axes: those follow, with an axis each, after all others."""
    rank, count = x.rank, len(sizes)
    spans = [_reach(size, dilation) for size, dilation in zip(sizes, dilations, strict=True)]
    axes = range(rank - count, rank)
    text = (
        f"np.lib.stride_tricks.sliding_window_view({x}, {tuple_text(spans)}, axis={tuple_text(list(axes))})"
    )
    steps = [":" if step == 1 else f"::{step}" for step in (*strides, *dilations)]
    if any(step != ":" for step in steps):
        text += f"[{', '.join([':'] * (rank - count) + steps)}]"
    return t.let("windows", text)


def _with_bias(text: str, bias: Operand | None, count: int) -> str:
    return text if bias is None else f"{text} + {bias}.reshape({', '.join(['-1'] + ['1'] * count)})"


def _integer(text: str) -> int | SizeText:
    return int(text) if text.isdigit() else SizeText(text)


@operator("conv1d", "conv2d", "conv3d")
def convolution(
    t: Translator,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> str:
    """A convolution (cross-correlation), of channels in groups."""
    count = weight.rank - 2
    dilations = _each(dilation, count)
    if isinstance(padding, str):
        reaches = [(int(side) - 1) * step for side, step in zip(weight.shape[2:], dilations, strict=True)]
        pairs = [(reach // 2, reach - reach // 2) if padding == "same" else (0, 0) for reach in reaches]
    else:
        pairs = [(one, one) for one in _each(padding, count)]
    return _convolved(t, x, weight, bias, _each(stride, count), pairs, dilations, groups)


def _convolved(
    t: Translator,
    x: Operand,
    weight: Operand,
    bias: Operand | None,
    strides: Sequence[int],
    pairs: Sequence[tuple[Any, Any]],
    dilations: Sequence[int],
    groups: int,
) -> str:
    count = weight.rank - 2
    if x.rank == count + 1:
        raise t.refuse("of one sample without a batch")
    wide = padded(t, x, [(0, 0), (0, 0), *pairs])
    if wide != str(x):
        wide = t.let("padded", wide)
    sizes = [_integer(side) for side in weight.shape[2:]]
    windows = _windows(t, Operand(wide, x.dtype, x.shape), sizes, strides, dilations)
    place, taps = _SPACE[:count], _TAPS[:count]
    if groups == 1:
        text = f'np.einsum("nc{place}{taps},oc{taps}->no{place}", {windows}, {weight})'
        return _with_bias(text, bias, count)
    inside, outside = weight.shape[1], weight.shape[0]
    n = x.shape[0]
    positions = [f"{windows}.shape[{axis}]" for axis in range(2, 2 + count)]
    window = [str(size) for size in sizes]
    apart = t.let("apart", f"{windows}.reshape({', '.join([n, str(groups), inside, *positions, *window])})")
    fixed = outside.isdigit()
    each = str(int(outside) // groups) if fixed else f"{number(SizeText(outside))} // {groups}"
    filters = t.let("filters", f"{weight}.reshape({', '.join([str(groups), each, inside, *window])})")
    text = f'np.einsum("ngc{place}{taps},goc{taps}->ngo{place}", {apart}, {filters})'
    joined = f"{t.let('groups', text)}.reshape({', '.join(t.result_shape())})"
    return _with_bias(joined, bias, count)


@operator("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(
    t: Translator,
    x: Operand,
    weight: Operand,
    bias: Operand | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> str:
    """A transposed convolution: zeros between elements, and windows of turned filters."""
    count = weight.rank - 2
    strides, dilations = _each(stride, count), _each(dilation, count)
    spread = _spread(t, x, strides)
    sizes = [int(side) for side in weight.shape[2:]]
    reaches = [(size - 1) * step for size, step in zip(sizes, dilations, strict=True)]
    pairs = [
        (reach - before, reach - before + after)
        for reach, before, after in zip(
            reaches, _each(padding, count), _each(output_padding, count), strict=True
        )
    ]
    turned = ", ".join([":", ":"] + ["::-1"] * count)
    inside, outside = weight.shape[:2]
    if groups == 1:
        filters = f"{weight}[{turned}].transpose({', '.join(['1', '0', *map(str, range(2, 2 + count))])})"
        shape = (outside, inside, *weight.shape[2:])
    else:
        each = str(int(inside) // groups) if inside.isdigit() else f"{number(SizeText(inside))} // {groups}"
        window = [str(size) for size in sizes]
        apart = f"{weight}[{turned}].reshape({', '.join([str(groups), each, outside, *window])})"
        axes = ", ".join(["0", "2", "1", *map(str, range(3, 3 + count))])
        total = str(int(outside) * groups) if outside.isdigit() else f"{groups} * {number(SizeText(outside))}"
        filters = f"{apart}.transpose({axes}).reshape({', '.join([total, each, *window])})"
        shape = (total, each, *weight.shape[2:])
    named = Operand(t.let("filters", filters), weight.dtype, shape)
    return _convolved(t, spread, named, bias, [1] * count, pairs, dilations, groups)


def _spread(t: Translator, x: Operand, strides: Sequence[int]) -> Operand:
    """Put zeros between neighbours, so that they are `strides` apart."""
    if all(stride == 1 for stride in strides):
        return x
    first = x.rank - len(strides)
    sides = [
        side if stride == 1 else f"({number(SizeText(side))} - 1) * {stride} + 1"
        for side, stride in zip(x.shape[first:], strides, strict=True)
    ]
    spread = t.let("spread", f"np.zeros({tuple_text([*x.shape[:first], *sides])})")
    steps = [":" if stride == 1 else f"::{stride}" for stride in strides]
    t.lines.append(f"{spread}[{', '.join([':'] * first + steps)}] = {x}")
    return Operand(spread, x.dtype, (*x.shape[:first], *sides))


def _pool(
    t: Translator, x: Operand, size: Any, stride: Any, padding: Any, dilation: Any, fill: str, ceil_mode: bool
) -> tuple[str, str]:
    """Windows of a pooling, and the axes within them."""
    if ceil_mode:
        raise t.refuse("windows that reach beyond the end (ceil_mode)")
    assert t.node is not None
    count = int(t.node.operator.split("pool")[1][0])
    sizes = _each(size, count)
    strides = _each(stride, count) if stride else sizes
    pairs = [(one, one) for one in _each(padding, count)]
    wide = padded(t, x, [(0, 0)] * (x.rank - count) + pairs, value=fill)
    if wide != str(x):
        wide = t.let("padded", wide)
    named = Operand(wide, x.dtype, x.shape)
    windows = _windows(t, named, sizes, strides, _each(dilation, count))
    return windows, axes_text(list(range(x.rank, x.rank + count)))


@operator(
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices", "max_pool2d_with_indices",
    "max_pool3d_with_indices",
)  # fmt: skip
def max_pool(
    t: Translator,
    x: Operand,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> str | list[str]:
    """The largest of each window; nothing beyond an edge counts."""
    assert t.node is not None
    windows, axes = _pool(t, x, size, stride, padding, dilation, "-np.inf", ceil_mode)
    text = f"{windows}.max(axis={axes})"
    return [text, ""] if "indices" in t.node.operator else text


@operator("avg_pool1d", "avg_pool2d", "avg_pool3d")
def avg_pool(
    t: Translator,
    x: Operand,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    with_padding: bool = True,
    divisor: int | None = None,
) -> str:
    """The mean of each window; zeros beyond an edge count, unless told otherwise."""
    count = len(_each(size, 1))
    windows, axes = _pool(t, x, size, stride, padding, 1, "0", ceil_mode)
    if divisor is not None:
        return f"{windows}.sum(axis={axes}) / {divisor}"
    if with_padding or not any(_each(padding, count)):
        return f"{windows}.mean(axis={axes})"
    ones = Operand(t.let("ones", f"np.ones({tuple_text(x.shape)})"), x.dtype, x.shape)
    counted, _ = _pool(t, ones, size, stride, padding, 1, "0", ceil_mode)
    return f"{windows}.sum(axis={axes}) / {counted}.sum(axis={axes})"


@operator(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
)  # fmt: skip
def adaptive_pool(t: Translator, x: Operand, wanted: Any) -> str | list[str]:
    """As many windows as are wanted, of equal sizes."""
    assert t.node is not None
    count = int(t.node.operator.split("pool")[1][0])
    first = x.rank - count
    sides = [str(one) for one in _each(wanted, count)]
    largest = "max" in t.node.operator
    name = "max" if largest else "mean"
    if all(side == "1" for side in sides):
        text = f"{x}.{name}(axis={axes_text(list(range(first, x.rank)))}, keepdims=True)"
    elif tuple(sides) == x.shape[first:]:
        text = str(x)
    elif all(
        side.isdigit() and one.isdigit() and int(one) % int(side) == 0
        for side, one in zip(sides, x.shape[first:], strict=True)
    ):
        parts = [f"{side}, {int(one) // int(side)}" for side, one in zip(sides, x.shape[first:], strict=True)]
        apart = t.let("apart", f"{x}.reshape({', '.join([*x.shape[:first], *parts])})")
        text = f"{apart}.{name}(axis={axes_text([first + 1 + 2 * at for at in range(count)])})"
    else:
        raise t.refuse(f"windows of unequal sizes, from {', '.join(x.shape[first:])} to {', '.join(sides)}")
    return [text, ""] if largest and len(t.node.results) > 1 else text


@operator("lp_pool1d", "lp_pool2d", "fractional_max_pool2d", "max_unpool2d")
def other_pools(t: Translator, *arguments: Any) -> str:
    """Not translated."""
    raise t.refuse("it has no translation into NumPy")
