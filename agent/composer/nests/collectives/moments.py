"""Several sums over the same long axis: a thread takes an element into all of them at once, in registers.

Blocks leave their sums, and the one that ends last adds them up, always in the same order; what is symmetric is
summed once. Equations whose coefficients the sums are (least squares) that block solves too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.composer.expressions import Kind, Value
from agent.composer.ir import Binary, Node
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives import solving
from agent.composer.nests.points import Fold, folds_in, kind_of, placed
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import Texts

if TYPE_CHECKING:
    from agent.composer.nests.program import Nest

REGISTERS = 128
"""Sums up to which a thread has them all."""

_BLOCKS = 128


@dataclass(frozen=True)
class Moment:
    """One stage of sums; `triangle` says that swapping its two axes changes nothing."""

    stage: FilledBuffer
    fold: Fold
    triangle: bool

    @property
    def count(self) -> Size:
        """How many sums there are, twice that many where they are a triangle."""
        size = combinations(self.stage.axes)
        return size + self.stage.axes[0].extent if self.triangle else size

    def expression(self) -> str:
        """How many sums there are, as an expression of kernel files."""
        return f"({self.count.expression()}) // 2" if self.triangle else self.count.expression()


@dataclass(frozen=True)
class Moments:
    """Sums over one axis, and the stage that solves equations of them, if there is one."""

    sums: tuple[Moment, ...]
    solved: FilledBuffer | None

    @property
    def along(self) -> Axis:
        """The axis."""
        return self.sums[0].fold.axes[0]

    @property
    def parts(self) -> str:
        """Name of the buffer with the sums of blocks."""
        return f"{self.sums[0].stage.name}_parts"

    def named(self, text: str) -> str:
        """The text with macros of these sums' own."""
        name = self.sums[0].stage.name.upper()
        return re.sub(r"\b(MOMENTS|PARTS|EXTENT_\d+_\d+)\b", rf"\1_OF_{name}", text)

    def directives(self, dtype: str) -> tuple[str, ...]:
        """How many sums and blocks there are, how long the axes of the sums are, and memory for blocks' sums."""
        count = " + ".join(one.expression() for one in self.sums)
        lines = [f"//@ define MOMENTS = {count}"]
        lines += [f"//@ define PARTS = max(1, min({_BLOCKS}, {self.along.extent.expression()} // BLOCK))"]
        for number, one in enumerate(self.sums):
            for position, axis in enumerate(one.stage.axes):
                lines.append(f"//@ define EXTENT_{number}_{position} = {axis.extent.expression()}")
        return (*map(self.named, lines), self.named(f"//@ scratch {self.parts}: {dtype}[PARTS * MOMENTS]"))


def moment_of(stage: FilledBuffer) -> Moment | None:
    """A stage as sums over one axis of real numbers; None where it is anything else."""
    fold = stage.value
    if (
        not isinstance(fold, Fold)
        or fold.op != "sum"
        or len(fold.axes) != 1
        or kind_of(fold) is not Kind.REAL
    ):
        return None
    varies = any(True for axis in (*stage.axes, *fold.axes) for _ in axis.extent.axes())
    if stage.place is not None or stage.turns is not None or varies or any(folds_in(fold.body)):
        return None
    return Moment(stage, fold, _is_symmetric(stage.axes, fold.body))


def moments_of(nest: Nest) -> Moments | None:
    """The sums that a nest was made of; None where it is any other one."""
    if nest.axes or len(nest.stages) < 2:
        return None
    last = nest.stages[-1] if solving.solved(nest.stages[-1]) else None
    sums = [moment_of(stage) for stage in nest.stages if stage is not last]
    found = tuple(one for one in sums if one is not None)
    return Moments(found, last) if len(found) == len(sums) and any(one.stage.axes for one in found) else None


def _is_symmetric(axes: Sequence[Axis], body: Node) -> bool:
    if len(axes) != 2 or axes[0].extent != axes[1].extent:
        return False
    swapped = placed(body, {axes[0]: Size.of(axes[1]), axes[1]: Size.of(axes[0])})
    match body, swapped:
        case Binary(left=one, right=other, op="*"), Binary(left=left, right=right):
            return (one, other) in ((left, right), (right, left))
        case _:
            return False


Stored = Callable[[FilledBuffer, Value], str]


def body(found: Moments, texts: Texts, stored: Stored) -> str:
    """Write the kernel's body; where there are more sums than registers, a block takes one at a time."""
    ctype, parts = texts.types.name(Kind.REAL), texts.buffer(found.parts)
    count, along = texts.size(found.along.extent), texts.axis(found.along)
    for one in found.sums:
        texts.rename(one.fold.axes[0], along)
    first = f"int {along} = {{}} + threadIdx.x; {along} < {count}; {along} += {{}}".format
    adding = "int s = 0;\n" + "".join(_added(number, one, texts) for number, one in enumerate(found.sums))
    together = (
        f"{ctype} sums[MOMENTS] = {{}};\n__shared__ {ctype} totals[BLOCK / 32][MOMENTS];\n"
        f"for ({first('blockIdx.x * BLOCK', 'PARTS * BLOCK')}) {{\n{indent(adding)}}}\n"
        "int first_sum = 0, sums_left = MOMENTS;\n"
        "constexpr int HELD = scattered_sums<MOMENTS, 16>();\n"
        "scatter_sums<MOMENTS, 16>(sums, first_sum, sums_left);\n"
        "#pragma unroll\nfor (int s = 0; s < HELD; ++s) {\n    if (s < sums_left) {\n"
        "        totals[threadIdx.x / 32][first_sum + s] = sums[s];\n    }\n}\n"
        "__syncthreads();\n"
        f"for (int s = threadIdx.x; s < MOMENTS; s += BLOCK) {{\n    {ctype} sum = 0;\n    #pragma unroll\n"
        "    for (int part = 0; part < BLOCK / 32; ++part) {\n        sum += totals[part][s];\n    }\n"
        f"    {parts}[blockIdx.x * MOMENTS + s] = sum;\n}}\n"
    )
    alone = "".join(
        _alone(number, one, texts, first("0", "BLOCK").replace("0 + ", ""), stored)
        for number, one in enumerate(found.sums)
    )
    results = "".join(_result(number, one, found, texts, stored) for number, one in enumerate(found.sums))
    ended = (
        "__threadfence();\n__syncthreads();\nif (threadIdx.x == 0) {\n"
        f"    is_last = atomicInc(&{found.sums[0].stage.name}_done, gridDim.x - 1) == gridDim.x - 1;\n"
        "    __threadfence();\n}\n__syncthreads();\nif (!is_last) {\n    return;\n}\n"
    )
    solution = _solution(found.solved, texts, stored) if found.solved is not None else ""
    gathered = _gathered(parts, ctype)
    text = (
        f"#if MOMENTS <= {REGISTERS}\n{together}#else\n{alone}#endif\n__shared__ bool is_last;\n{ended}"
        f"#if MOMENTS <= {REGISTERS}\n{gathered}{results}__syncthreads();\n#endif\n{solution}"
    )
    return found.named(text)


def counter(found: Moments) -> str:
    """Declare how many blocks have ended; the last one sets it back."""
    return f"{_SCATTER}\n__device__ unsigned int {found.sums[0].stage.name}_done;\n\n"


_SCATTER = """\
// How many sums a lane has in the end.
template <int COUNT, int OFFSET>
constexpr int scattered_sums() {
    if constexpr (OFFSET > 0) {
        return scattered_sums<(COUNT + 1) / 2, OFFSET / 2>();
    } else {
        return COUNT;
    }
}

// Adds up the sums of a warp: at each step a lane gives half of them away, and goes on with the other half.
template <int COUNT, int OFFSET, typename T, int N>
__device__ __forceinline__ void scatter_sums(T (&sums)[N], int& first, int& left) {
    if constexpr (OFFSET > 0) {
        constexpr int HALF = (COUNT + 1) / 2;
        const bool upper = threadIdx.x & OFFSET;
        #pragma unroll
        for (int i = 0; i < HALF; ++i) {
            const T low = sums[i], high = i + HALF < COUNT ? sums[(i + HALF) % N] : T(0);
            sums[i] = (upper ? high : low) + __shfl_xor_sync(0xffffffff, upper ? low : high, OFFSET);
        }
        first += upper ? HALF : 0;
        left = upper ? left - HALF : min(left, HALF);
        scatter_sums<HALF, OFFSET / 2>(sums, first, left);
    }
}
"""


def _loops(number: int, one: Moment, texts: Texts, text: str) -> str:
    """Go through the sums of a stage, written out; of a triangle through one half."""
    for position in range(len(one.stage.axes) - 1, -1, -1):
        name = texts.axis(one.stage.axes[position])
        start = texts.axis(one.stage.axes[0]) if position and one.triangle else "0"
        head = f"for (int {name} = {start}; {name} < EXTENT_{number}_{position}; ++{name})"
        text = f"#pragma unroll\n{head} {{\n{indent(text)}}}\n"
    return text


def _added(number: int, one: Moment, texts: Texts) -> str:
    lines = texts.lines(one.fold.body)
    texts.known.clear()
    before = "".join(f"{line}\n" for line in lines.lines)
    return _loops(number, one, texts, f"{before}sums[s] += {lines.values[0].text};\n++s;\n")


def _alone(number: int, one: Moment, texts: Texts, each: str, stored: Stored) -> str:
    """Sum up one after the other, each by a block."""
    lines = texts.lines(one.fold.body)
    texts.known.clear()
    inside = "".join(f"{line}\n" for line in lines.lines) + f"sum += {lines.values[0].text};\n"
    ctype = texts.types.name(Kind.REAL)
    text = (
        f"{''.join(_decoded(number, one, texts))}{ctype} sum = 0;\nfor ({each}) {{\n{indent(inside)}}}\n"
        f"sum = reduce_sum(sum);\nif (threadIdx.x == 0) {{\n{indent(stored(one.stage, Value('sum', Kind.REAL)))}}}\n"
    )
    return f"for (int e = blockIdx.x; e < {_size(number, one)}; e += gridDim.x) {{\n{indent(text)}}}\n"


def _size(number: int, one: Moment) -> str:
    return " * ".join(f"EXTENT_{number}_{at}" for at in range(len(one.stage.axes))) or "1"


def _decoded(number: int, one: Moment, texts: Texts) -> Iterator[str]:
    """Take the index of a sum apart."""
    last = len(one.stage.axes) - 1
    for position, axis in enumerate(one.stage.axes):
        below = "".join(f" / EXTENT_{number}_{at}" for at in range(last, position, -1))
        yield f"const int {texts.axis(axis)} = e{below} % EXTENT_{number}_{position};\n"


def _gathered(parts: str, ctype: str) -> str:
    """Add up what blocks left, several threads for each sum."""
    return (
        "constexpr int SHARES = BLOCK / MOMENTS < BLOCK / 32 ? BLOCK / MOMENTS : BLOCK / 32;\n"
        "if (threadIdx.x < SHARES * MOMENTS) {\n"
        f"    const int s = threadIdx.x % MOMENTS, share = threadIdx.x / MOMENTS;\n    {ctype} sum = 0;\n"
        "    #pragma unroll 16\n    for (int part = share; part < PARTS; part += SHARES) {\n"
        f"        sum += __ldcg({parts} + part * MOMENTS + s);\n    }}\n    totals[share][s] = sum;\n}}\n"
        "__syncthreads();\n"
        "if (threadIdx.x < MOMENTS) {\n"
        "    #pragma unroll\n    for (int share = 1; share < SHARES; ++share) {\n"
        "        totals[0][threadIdx.x] += totals[share][threadIdx.x];\n    }\n}\n__syncthreads();\n"
    )


def _result(number: int, one: Moment, found: Moments, texts: Texts, stored: Stored) -> str:
    """Store the sums of a stage."""
    before = "".join(
        f"{_triangle(at)} + " if other.triangle else f"{_size(at, other)} + "
        for at, other in enumerate(found.sums[:number])
    )
    place = f"{before}e"
    declared = ""
    if one.triangle:
        row, col = (texts.axis(axis) for axis in one.stage.axes)
        declared = f"const int low = min({row}, {col}), high = max({row}, {col});\n"
        place = f"{before}low * EXTENT_{number}_0 - low * (low - 1) / 2 + high - low"
    kept = stored(one.stage, Value(f"totals[0][{place}]", Kind.REAL))
    text = "".join(_decoded(number, one, texts)) + declared + kept
    return f"for (int e = threadIdx.x; e < {_size(number, one)}; e += BLOCK) {{\n{indent(text)}}}\n"


def _triangle(number: int) -> str:
    return f"EXTENT_{number}_0 * (EXTENT_{number}_0 + 1) / 2"


def _solution(stage: FilledBuffer, texts: Texts, stored: Stored) -> str:
    equations = solving.solved(stage)
    assert equations is not None, "it was looked at"
    text = stored(stage, Value("{}", Kind.REAL))
    return solving.body(stage, equations, texts, lambda value: text.replace("{}", value))
