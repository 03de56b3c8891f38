"""Histograms: each block counts in shared memory, and adds its counts to the result with atomics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.composer.expressions import Kind
from agent.composer.ir import Binary, Literal, Node, Where
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.neighbours import widest
from agent.composer.nests.points import Fold, Number, axes_of, loads
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import PackedTexts, Texts

_SHARED = 8192
"""Counts that a block keeps of its own; more go to the result at once."""


@dataclass(frozen=True)
class Count:
    """What a stage counts: `value` goes to the result at `key`, for every combination of the axes."""

    axes: tuple[Axis, ...]
    key: Node
    value: Node


def counted(stage: FilledBuffer) -> Count | None:
    """What a stage counts; None where it is no histogram of whole numbers."""
    match stage:
        case FilledBuffer(
            axes=(bin_,), kind=Kind.INTEGER, place=None,
            value=Fold(op="sum", axes=axes, body=Where(Binary(op="==") as met, value, Literal(value=0))),
        ):  # fmt: skip
            here = Number(Size.of(bin_))
            key = met.right if met.left == here else met.left if met.right == here else None
            if key is None or bin_ in axes_of(key) | axes_of(value):
                return None
            return Count(axes, key, value)
        case _:
            return None


def _bins(stage: FilledBuffer) -> str:
    """Name of the macro that says how many counts there are."""
    return f"{stage.name.upper()}_COUNT"


@dataclass(frozen=True)
class CountingStyle:
    """How elements are counted.

    Attributes:
        copies: Lanes count apart from each other, so that few of them meet.
        width: Neighbours in one access, where they are aligned; 1 where a thread takes one at a time.
        aligned: What the width must divide.
    """

    copies: bool
    width: int = 1
    aligned: frozenset[Size] = frozenset()


def counting_style(
    count: Count,
    shapes: Mapping[str, tuple[Size, ...]],
    dtypes: Mapping[str, str],
    *,
    copies: bool,
    vectorized: bool,
) -> CountingStyle:
    """Find how elements can be counted."""
    reads = [at for value in (count.key, count.value) for at in loads(value) if not at.guards]
    touched = [(at.buffer, at.indices) for at in reads]
    found = None
    if vectorized and len(count.axes) == 1:
        found = widest(touched, count.axes[0], shapes, dtypes)
    return CountingStyle(copies, *(found or (1, frozenset[Size]())))


def body(
    stage: FilledBuffer, count: Count, texts: Texts, decoded: Callable[[str, tuple[Axis, ...]], str],
    style: CountingStyle,
) -> str:  # fmt: skip
    """Write the kernel's body; `decoded` takes a flat index apart."""
    bins, total = _bins(stage), texts.size(combinations(count.axes))
    each = f"{bins}_COPIES"
    size = f"{bins} * {each}" if style.copies else bins
    step = "element += gridDim.x * BLOCK"
    first = "int element = blockIdx.x * BLOCK + threadIdx.x"
    if style.width == 1:
        inside = decoded("element", count.axes) + _counted(stage, count, texts, style)
        loop = f"for ({first}; element < {total}; {step}) {{\n{indent(inside)}}}\n"
    else:
        (axis,) = count.axes
        width = width_name(stage)
        name, packs = texts.axis(axis), f"({total} + {width} - 1) / {width}"
        texts.rename(axis, f"({name} + r)")
        alone = f"if ({name} + r < {total}) {{\n{indent(_counted(stage, count, texts, style))}}}\n"
        texts.known.clear()
        texts.packed = PackedTexts(axis, name, width, style.width)
        together = _counted(stage, count, texts, style)
        packed, _ = texts.pack_loads()
        inside = (
            f"const int {name} = element * {width};\n"
            f"if ({name} + {width} <= {total}) {{\n{indent(packed + _each(together, width))}}} else {{\n"
            f"{indent(_each(alone, width))}}}\n"
        )
        loop = f"for ({first}; element < {packs}; {step}) {{\n{indent(inside)}}}\n"
    return (
        f"#if {bins} <= {_SHARED}\n__shared__ int counts[{size}];\n"
        f"for (int bin = threadIdx.x; bin < {size}; bin += BLOCK) {{\n    counts[bin] = 0;\n}}\n"
        f"__syncthreads();\n#endif\n{loop}#if {bins} <= {_SHARED}\n__syncthreads();\n"
        f"for (int bin = threadIdx.x; bin < {bins}; bin += BLOCK) {{\n{indent(_flushed(stage, texts, style))}}}\n"
        "#endif\n"
    )


def _each(text: str, count: str) -> str:
    return f"#pragma unroll\nfor (int r = 0; r < {count}; ++r) {{\n{indent(text)}}}\n"


def _counted(stage: FilledBuffer, count: Count, texts: Texts, style: CountingStyle) -> str:
    """Count one element."""
    bins = _bins(stage)
    slot = f"bin * {bins}_COPIES + threadIdx.x % {bins}_COPIES" if style.copies else "bin"
    key, value = texts.lines(count.key), texts.value(count.value)
    lines = "".join(f"{line}\n" for line in key.lines)
    return (
        f"{lines}const int bin = {texts.cast(key.values[0], Kind.INTEGER).text};\n"
        f"if (bin >= 0 && bin < {bins}) {{\n"
        f"#if {bins} <= {_SHARED}\n    atomicAdd(&counts[{slot}], {value.text});\n"
        f"#else\n{indent(_added(stage, texts, value.text))}#endif\n}}\n"
    )


def _added(stage: FilledBuffer, texts: Texts, what: str) -> str:
    """Add to the result at `bin`."""
    result, long = texts.buffer(stage.name), texts.ctype(stage.name) == "long long"
    wide = "reinterpret_cast<unsigned long long*>" if long else ""
    more = "static_cast<unsigned long long>" if long else ""
    return f"atomicAdd({wide}(&{result}[bin]), {more}({what}));\n"


def _flushed(stage: FilledBuffer, texts: Texts, style: CountingStyle) -> str:
    """Add a block's count to the result."""
    each = f"{_bins(stage)}_COPIES"
    gathered = (
        f"int sum = 0;\nfor (int i = 0; i < {each}; ++i) {{\n"
        f"    sum += counts[bin * {each} + (i + threadIdx.x) % {each}];\n}}\n"
        if style.copies
        else "const int sum = counts[bin];\n"
    )
    return f"{gathered}if (sum != 0) {{\n{indent(_added(stage, texts, 'sum'))}}}\n"


def width_name(stage: FilledBuffer) -> str:
    """Name of the macro that says how many elements a thread takes at a time."""
    return f"{_bins(stage)}_WIDTH"


def directives(stage: FilledBuffer, style: CountingStyle) -> list[str]:
    """What has to stand before the launch: how many counts there are, and that they start at zero."""
    bins = _bins(stage)
    apart = [f"//@ define {bins}_COPIES = max(1, min(32, {_SHARED} // {bins}))"] if style.copies else []
    return [f"//@ define {bins} = {stage.axes[0].extent.expression()}", *apart, f"//@ zero {stage.name}"]


def grid(count: Count) -> str:
    """Blocks: enough for the elements, no more than fill a GPU a few times."""
    total = combinations(count.axes).expression()
    return f"min(ceil_div({total}, BLOCK), 1056)"
