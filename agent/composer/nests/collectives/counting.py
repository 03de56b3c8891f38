"""Histograms: each block counts in shared memory, and adds its counts to the result with atomics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.composer.expressions import Kind
from agent.composer.ir import Binary, Literal, Node, Where
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import Fold, Number, axes_of
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import Texts

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


def body(
    stage: FilledBuffer, count: Count, texts: Texts, decoded: Callable[[str, tuple[Axis, ...]], str]
) -> str:
    """Write the kernel's body; `decoded` takes a flat index apart."""
    bins, total = _bins(stage), texts.size(combinations(count.axes))
    axes = decoded("element", count.axes)
    key, value = texts.lines(count.key), texts.value(count.value)
    lines = "".join(f"{line}\n" for line in key.lines)
    result, ctype = texts.buffer(stage.name), texts.ctype(stage.name)
    wide = "reinterpret_cast<unsigned long long*>" if ctype == "long long" else ""
    more = "static_cast<unsigned long long>" if ctype == "long long" else ""

    def added(where: str, what: str) -> str:
        return f"atomicAdd({wide}(&{result}[{where}]), {more}({what}));\n"

    inside = (
        f"{axes}{lines}const int bin = {texts.cast(key.values[0], Kind.INTEGER).text};\n"
        f"if (bin >= 0 && bin < {bins}) {{\n"
        f"#if {bins} <= {_SHARED}\n    atomicAdd(&counts[bin], {value.text});\n"
        f"#else\n{indent(added('bin', value.text))}#endif\n}}\n"
    )
    loop = (
        f"for (int element = blockIdx.x * BLOCK + threadIdx.x; element < {total}; element += gridDim.x * BLOCK) {{\n"
        f"{indent(inside)}}}\n"
    )
    flush = f"if (counts[bin] != 0) {{\n{indent(added('bin', 'counts[bin]'))}}}\n"
    return (
        f"#if {bins} <= {_SHARED}\n__shared__ int counts[{bins}];\n"
        f"for (int bin = threadIdx.x; bin < {bins}; bin += BLOCK) {{\n    counts[bin] = 0;\n}}\n"
        f"__syncthreads();\n#endif\n{loop}#if {bins} <= {_SHARED}\n__syncthreads();\n"
        f"for (int bin = threadIdx.x; bin < {bins}; bin += BLOCK) {{\n{indent(flush)}}}\n#endif\n"
    )


def directives(stage: FilledBuffer) -> list[str]:
    """What has to stand before the launch: how many counts there are, and that they start at zero."""
    return [f"//@ define {_bins(stage)} = {stage.axes[0].extent.expression()}", f"//@ zero {stage.name}"]


def grid(count: Count) -> str:
    """Blocks: enough for the elements, no more than fill a GPU a few times."""
    total = combinations(count.axes).expression()
    return f"min(ceil_div({total}, BLOCK), 1056)"
