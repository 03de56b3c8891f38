"""Views, parts, and arrays put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agent.importing.graphs.translation import Operand, SizeText, Translator, number, operator, tuple_text

_FAR = 1 << 62


@operator(
    "contiguous", "clone", "detach", "alias", "expand", "expand_as", "broadcast_to", "lift", "copy", "view_as",
    "_unsafe_view", "view", "reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "reshape_as",
)  # fmt: skip
def reshaped(t: Translator, x: Operand, *arguments: Any, **words: Any) -> str:
    """The same elements in another shape; what is expanded is repeated."""
    assert t.node is not None
    name, shape = t.node.operator.split(".")[1], t.result_shape()
    if shape == x.shape:
        return str(x)
    if name in ("expand", "expand_as", "broadcast_to"):
        return f"np.broadcast_to({x}, {tuple_text(shape)})"
    return f"{x}.reshape({', '.join(shape)})" if shape else f"{x}.reshape(())"


@operator("permute")
def permute(t: Translator, x: Operand, axes: Sequence[int]) -> str:
    """Axes in another order."""
    return f"{x}.transpose({', '.join(str(x.axis(axis)) for axis in axes)})"


@operator("transpose", "swapaxes")
def transpose(t: Translator, x: Operand, first: int, second: int) -> str:
    """Two axes exchanged."""
    order = list(range(x.rank))
    first, second = x.axis(first), x.axis(second)
    order[first], order[second] = second, first
    return f"{x}.T" if x.rank == 2 and first != second else f"{x}.transpose({', '.join(map(str, order))})"


@operator("t", "numpy_T")
def turned(t: Translator, x: Operand) -> str:
    """A transpose."""
    return f"{x}.T" if x.rank > 1 else str(x)


@operator("movedim")
def movedim(t: Translator, x: Operand, source: Any, target: Any) -> str:
    """An axis moved."""
    return f"np.moveaxis({x}, {source}, {target})"


def _at(axis: int, index: str) -> str:
    return ":, " * axis + index


@operator("slice")
def sliced(t: Translator, x: Operand, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> str:
    """A part of an axis."""
    axis = x.axis(dim)
    whole = end is None or (isinstance(end, int) and end >= _FAR) or str(end) == x.shape[axis]
    first = "" if start in (None, 0) else str(start)
    last = "" if whole else str(end)
    if not first and not last and step == 1:
        return str(x)
    return f"{x}[{_at(axis, f'{first}:{last}' + (f':{step}' if step != 1 else ''))}]"


@operator("narrow")
def narrow(t: Translator, x: Operand, dim: int, start: Any, length: Any) -> str:
    """So many from a start on."""
    return f"{x}[{_at(x.axis(dim), f'{start}:{number(start)} + {length}')}]"


@operator("select")
def select(t: Translator, x: Operand, dim: int, index: Any) -> str:
    """One of an axis."""
    return f"{x}[{_at(x.axis(dim), str(index))}]"


@operator("cat", "concat", "concatenate")
def cat(t: Translator, parts: Sequence[Operand], dim: int = 0) -> str:
    """One after the other."""
    return f"np.concatenate([{', '.join(map(str, parts))}], axis={parts[0].axis(dim)})"


@operator("stack")
def stack(t: Translator, parts: Sequence[Operand], dim: int = 0) -> str:
    """Along an axis of its own."""
    return f"np.stack([{', '.join(map(str, parts))}], axis={dim % (parts[0].rank + 1)})"


@operator("meshgrid")
def meshgrid(t: Translator, axes: Sequence[Operand], indexing: str = "ij") -> list[str]:
    """Each axis along one of several, the same along the others; `xy` exchanges the first two."""
    order = list(range(len(axes)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    shape = tuple_text(t.result_shape())
    sides = [["1"] * len(axes) for _ in axes]
    for number_of, place in enumerate(order):
        sides[number_of][place] = axes[number_of].shape[0] if axes[number_of].rank else "1"
    return [
        f"np.broadcast_to({one}.reshape({', '.join(side)}), {shape})"
        for one, side in zip(axes, sides, strict=True)
    ]


@operator("split", "split_with_sizes", "chunk", "tensor_split")
def split(t: Translator, x: Operand, sizes: Any, dim: int = 0) -> list[str]:
    """Parts of an axis."""
    assert t.node is not None
    axis = x.axis(dim)
    parts: list[str] = []
    start = "0"
    for number_of, tensor in enumerate(t.node.results):
        length = t.shape(tensor)[axis]
        end = f"{start} + {length}" if number_of else length
        last = "" if number_of == len(t.node.results) - 1 else end
        parts.append(f"{x}[{_at(axis, f'{start if number_of else str()}:{last}')}]")
        start = end
    return parts


@operator("broadcast_tensors")
def broadcast_tensors(t: Translator, parts: Sequence[Operand]) -> list[str]:
    """Several in their common shape."""
    shape = t.result_shape()
    return [
        str(one) if one.shape == shape else f"np.broadcast_to({one}, {tuple_text(shape)})" for one in parts
    ]


@operator("unbind")
def unbind(t: Translator, x: Operand, dim: int = 0) -> list[str]:
    """Every one of an axis."""
    assert t.node is not None
    return [f"{x}[{_at(x.axis(dim), str(index))}]" for index in range(len(t.node.results))]


@operator("flip")
def flip(t: Translator, x: Operand, dims: Sequence[int]) -> str:
    """Axes turned round."""
    turned_axes = {x.axis(dim) for dim in dims}
    return f"{x}[{', '.join('::-1' if axis in turned_axes else ':' for axis in range(max(turned_axes) + 1))}]"


@operator("roll")
def roll(t: Translator, x: Operand, shifts: Any, dims: Any = ()) -> str:
    """Moved round an axis."""
    if not dims:
        raise t.refuse("it rolls over all axes at once")
    text = str(x)
    for shift, dim in zip(shifts, dims, strict=True):
        text = f"np.roll({text}, {shift}, axis={x.axis(dim)})"
    return text


@operator("repeat", "tile")
def repeat(t: Translator, x: Operand, times: Sequence[Any]) -> str:
    """Laid out several times."""
    return f"np.tile({x}, {tuple_text(times)})"


@operator("repeat_interleave")
def repeat_interleave(t: Translator, x: Operand, times: Any, dim: int | None = None, **words: Any) -> str:
    """Each several times."""
    if not isinstance(times, int | SizeText) or dim is None:
        raise t.refuse("how often each is repeated is no number")
    return f"np.repeat({x}, {times}, axis={x.axis(dim)})"


@operator(
    "constant_pad_nd", "pad", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d"
)
def pad(t: Translator, x: Operand, widths: Sequence[Any], *rest: Any, **words: Any) -> str:
    """Something at the ends of axes; the last axis comes first in `widths`."""
    assert t.node is not None
    name = t.node.operator.split(".")[1]
    mode = "reflect" if "reflection" in name else "replicate" if "replication" in name else "constant"
    values = list(rest)
    if name == "pad" and values and isinstance(values[0], str):
        mode = values.pop(0)
    value = next((one for one in [*values, words.get("value")] if one is not None), 0)
    return padded(t, x, [(0, 0)] * (x.rank - len(widths) // 2) + _pairs(widths), mode, value)


def _pairs(widths: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [(widths[at], widths[at + 1]) for at in range(len(widths) - 2, -1, -2)]


def padded(
    t: Translator, x: Operand, pairs: Sequence[tuple[Any, Any]], mode: str = "constant", value: Any = 0
) -> str:
    """Pad; negative widths cut."""
    ends = [one for pair in pairs for one in pair]
    if any(isinstance(one, int) and one < 0 for one in ends):
        cut = ", ".join(f"{-min(a, 0) or ''}:{min(b, 0) or ''}" for a, b in pairs)
        x = Operand(t.let("cut", f"{x}[{cut}]"), x.dtype, x.shape)
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if not any(one for pair in pairs for one in pair):
        return str(x)
    widths = tuple_text([tuple_text(pair) for pair in pairs])
    kinds = {"reflect": ', mode="reflect"', "replicate": ', mode="edge"', "circular": ', mode="wrap"'}
    ending = kinds.get(mode, "" if value in (0, None) else f", constant_values={number(value)}")
    return f"np.pad({x}, {widths}{ending})"


@operator("pixel_shuffle")
def pixel_shuffle(t: Translator, x: Operand, factor: int) -> str:
    """Channels become positions."""
    n, c, h, w = x.shape
    parts = f"{x}.reshape({n}, {number(SizeText(c))} // {factor * factor}, {factor}, {factor}, {h}, {w})"
    return f"{parts}.transpose(0, 1, 4, 2, 5, 3).reshape({', '.join(t.result_shape())})"


@operator("channel_shuffle")
def channel_shuffle(t: Translator, x: Operand, groups: int) -> str:
    """Channels of groups in turn."""
    n, c, *rest = x.shape
    inner = f"{x}.reshape({', '.join([n, str(groups), f'{number(SizeText(c))} // {groups}', *rest])})"
    axes = ", ".join(map(str, [0, 2, 1, *range(3, x.rank + 1)]))
    return f"{inner}.transpose({axes}).reshape({', '.join(x.shape)})"


@operator("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d")
def upsample_nearest(t: Translator, x: Operand, *arguments: Any, **words: Any) -> str:
    """Each element several times."""
    lists = [cast("list[Any]", one) for one in arguments if isinstance(one, list)]
    scales = lists[-1] if lists else None
    if not scales or any(not float(scale).is_integer() for scale in scales if isinstance(scale, float)):
        raise t.refuse("it grows by no whole number")
    if not all(isinstance(scale, float) for scale in scales):
        raise t.refuse("it grows to a size, and by no number")
    text = str(x)
    for axis, scale in enumerate(scales, start=2):
        text = f"np.repeat({text}, {int(scale)}, axis={axis})"
    return text


@operator("unfold")
def unfold(t: Translator, x: Operand, dim: int, size: int, step: int) -> str:
    """Windows along an axis."""
    axis = x.axis(dim)
    windows = f"np.lib.stride_tricks.sliding_window_view({x}, {size}, axis={axis})"
    return windows if step == 1 else f"{windows}[{_at(axis, f'::{step}')}]"
