"""Sums of products of windows with taps, as convolutions are: a block keeps what its windows cover in shared memory.

A thread has 2 x 4 neighbouring points in registers, and goes through each row of its windows once, four elements at a
time, for all points that need it. Groups of warps share the rows of the taps, and add up their sums at the end.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from agent.composer.expressions import Kind, Value
from agent.composer.ir import Binary, Node
from agent.composer.kernel_text import indent
from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.points import At, Fold, axes_of, folds_in, kind_of, parts, placed
from agent.composer.nests.program import Nest, is_special
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import Texts

_SHARED = 48 * 1024
"""Bytes of shared memory that a block has without asking for more."""

_UNROLLED = 512
"""Taps of a group up to which its loops are written out."""

THREADS = "128 * GROUPS"
"""Threads of a block: 16 x 8 of them cover 64 x 16 points."""


@dataclass(frozen=True)
class WindowSum:
    """A sum of products over windows.

    Attributes:
        row, col: Axes of the nest along which windows are neighbours.
        down, across: Axes of the fold along which a window goes the same ways.
        covered: What windows cover, in terms of `row` and `col` as if those counted its elements.
        taps: What the elements of a window are multiplied with; the same for all windows.
    """

    nest: Nest
    fold: Fold
    row: Axis
    col: Axis
    down: Axis
    across: Axis
    covered: Node
    taps: Node

    @property
    def stage(self) -> FilledBuffer:
        """The nest's one stage."""
        return self.nest.stages[0]

    @property
    def apart(self) -> tuple[Axis, ...]:
        """Axes of the nest that share no block: batches, and what has taps of its own."""
        return tuple(axis for axis in self.nest.axes if axis not in (self.row, self.col))

    @property
    def depth(self) -> tuple[Axis, ...]:
        """Axes of the fold along which windows do not move: channels."""
        return tuple(axis for axis in self.fold.axes if axis not in (self.down, self.across))

    @cached_property
    def _suffix(self) -> str:
        return f"_{self.stage.name.upper()}"

    def named(self, text: str) -> str:
        """The text with macros of these windows' own."""
        return re.sub(r"\b(DOWN|ACROSS|GROUPS|COVERED)\b", rf"TAPS_\1{self._suffix}", text)

    def directives(self, itemsize: int) -> tuple[str, ...]:
        """How large windows are, how many groups share their rows, whether shared memory holds what they cover."""
        tile = "(15 + ceil_div(DOWN, GROUPS) * GROUPS) * ((ACROSS + 69) // 4 * 4)"
        held = f"max({tile}, 1024 * GROUPS - 1024) + DOWN * (ACROSS + 3)"
        lines = (
            f"//@ define DOWN = {self.down.extent.expression()}",
            f"//@ define ACROSS = {self.across.extent.expression()}",
            "//@ define GROUPS = max(1, min(3, DOWN // 8))",
            f"//@ define COVERED = 1 if {itemsize} * ({held}) <= {_SHARED} else 0",
        )
        return tuple(map(self.named, lines))

    @property
    def grid(self) -> str:
        """A block for each 64 x 16 points."""
        across, down = (axis.extent.expression() for axis in (self.col, self.row))
        apart = combinations(self.apart).expression()
        return f"ceil_div({across}, 64) * ceil_div({down}, 16) * ({apart})"


def windows_of(nest: Nest) -> WindowSum | None:
    """How a nest sums products over windows; None where it does not."""
    (stage, *others) = nest.stages
    if others or is_special(stage) or stage.is_scattered or nest.extra(stage) or len(nest.axes) < 2:
        return None
    match list(folds_in(stage.value)):
        case [Fold(op="sum", body=Binary(op="*", left=left, right=right)) as fold]:
            if nest.shapes_loops((*nest.axes, *fold.axes)) or kind_of(fold) is not Kind.REAL:
                return None
            ways = itertools.permutations(fold.axes, 2)
            tried = (
                _found(nest, fold, way, moving, taps)
                for way in ways
                for moving, taps in ((left, right), (right, left))
            )
            return next((one for one in tried if one is not None), None)
        case _:
            return None


def _found(nest: Nest, fold: Fold, way: tuple[Axis, Axis], moving: Node, taps: Node) -> WindowSum | None:
    (row, col), (down, across) = nest.axes[-2:], way
    if not {row, col, down, across} <= axes_of(moving) or axes_of(taps) & {row, col}:
        return None
    covered = placed(moving, {row: Size.of(row) - Size.of(down), col: Size.of(col) - Size.of(across)})
    if axes_of(covered) & {down, across} or not {down, across} <= axes_of(taps):
        return None
    if any(
        isinstance(index, Node)
        for one in (covered, taps)
        for at in parts(one)
        if isinstance(at, At)
        for index in at.indices
    ):
        return None
    return WindowSum(nest, fold, row, col, down, across, covered, taps)


Decoded = Callable[[str, tuple[Axis, ...]], str]
Stored = Callable[[FilledBuffer, Value], str]


def body(found: WindowSum, texts: Texts, decoded: Decoded, stored: Stored) -> str:
    """Write the kernel's body; without room in shared memory each thread goes through its windows alone."""
    width, height = texts.size(found.col.extent), texts.size(found.row.extent)
    head = (
        f"const int tiles_across = (({width}) - 1) / 64 + 1, tiles = tiles_across * ((({height}) - 1) / 16 + 1);\n"
        "const int first_col = blockIdx.x % tiles % tiles_across * 64, "
        "first_row = blockIdx.x % tiles / tiles_across * 16;\n"
        f"{decoded('blockIdx.x / tiles', found.apart)}"
        "const int group = threadIdx.x / 128, own = threadIdx.x % 128, left = own % 16 * 4, top = own / 16 * 2;\n"
        f"{texts.types.name(Kind.REAL)} sums[2][4] = {{}};\n"
    )
    summed = _for_depth(found, texts, _filled(found, texts) + _summed(texts))
    covered = f"{_tiles(found, texts)}{summed}{_gathered(texts)}"
    alone = f"if (group > 0) {{\n    return;\n}}\n{_for_points(found, texts, _alone(found, texts))}"
    last = _for_points(found, texts, _outcome(found, texts, stored))
    return found.named(f"{head}#if COVERED\n{covered}#else\n{alone}#endif\n{last}")


def _tiles(found: WindowSum, texts: Texts) -> str:
    ctype = texts.types.name(Kind.REAL)
    return (
        "constexpr int PART = (DOWN + GROUPS - 1) / GROUPS, FOURS = (ACROSS + 3) / 4 * 4;\n"
        "constexpr int HIGH = 15 + PART * GROUPS, WIDE = (ACROSS + 69) / 4 * 4;\n"
        "constexpr int SIZE = HIGH * WIDE > 1024 * (GROUPS - 1) ? HIGH * WIDE : 1024 * (GROUPS - 1);\n"
        f"__shared__ __align__(16) {ctype} tile[SIZE];\n__shared__ __align__(16) {ctype} taps[DOWN][FOURS];\n"
    )


def _for_depth(found: WindowSum, texts: Texts, text: str) -> str:
    """Do something for each of what windows do not move along."""
    for axis in reversed(found.depth):
        name = texts.axis(axis)
        text = f"for (int {name} = 0; {name} < {texts.size(axis.extent)}; ++{name}) {{\n{indent(text)}}}\n"
    return text


def _filled(found: WindowSum, texts: Texts) -> str:
    """Fill the tiles; beyond the last window's end stands what is not used."""
    last_row, last_col = (
        texts.size(axis.extent + step.extent - 2)
        for axis, step in ((found.row, found.down), (found.col, found.across))
    )
    texts.rename(found.row, "at_row")
    texts.rename(found.col, "at_col")
    element = _value(found.covered, texts)
    texts.rename(found.down, "at_down")
    texts.rename(found.across, "at_across")
    tap = _value(found.taps, texts)
    return (
        "__syncthreads();\n#pragma unroll 4\nfor (int e = threadIdx.x; e < HIGH * WIDE; e += 128 * GROUPS) {\n"
        f"    const int at_row = min(first_row + e / WIDE, {last_row});\n"
        f"    const int at_col = min(first_col + e % WIDE, {last_col});\n"
        f"{indent(element[0])}    tile[e] = {element[1]};\n}}\n"
        "for (int e = threadIdx.x; e < DOWN * FOURS; e += 128 * GROUPS) {\n"
        f"    const int at_down = e / FOURS, at_across = e % FOURS;\n    {texts.types.name(Kind.REAL)} tap = 0;\n"
        "    if (at_across < ACROSS) {\n"
        f"{indent(indent(tap[0]))}        tap = {tap[1]};\n    }}\n    taps[at_down][at_across] = tap;\n}}\n"
        "__syncthreads();\n"
    )


def _value(node: Node, texts: Texts) -> tuple[str, str]:
    lines = texts.lines(node)
    texts.known.clear()
    return "".join(f"{line}\n" for line in lines.lines), texts.cast(lines.values[0], Kind.REAL).text


def _summed(texts: Texts) -> str:
    """Go through the rows that the group's taps meet."""
    four = f"Pack<{texts.types.name(Kind.REAL)}, 4>"
    taken = f"*reinterpret_cast<const {four}*>"
    multiplied = (
        "#pragma unroll\nfor (int j = 0; j < 4; ++j) {\n    #pragma unroll\n    for (int q = 0; q < 4; ++q) {\n"
        "        if (c + q < ACROSS) {\n"
        "            sums[i][j] += (j + q < 4 ? here : next).lane[(j + q) % 4] * tap.lane[q];\n        }\n    }\n}\n"
    )
    points = (
        "const int t = r - i;\nif (t >= 0 && t < PART && (DOWN % GROUPS == 0 || group * PART + t < DOWN)) {\n"
        f"    const {four} tap = {taken}(&taps[group * PART + t][c]);\n{indent(multiplied)}}}\n"
    )
    columns = (
        f"const {four} next = {taken}(line + c + 4);\n#pragma unroll\nfor (int i = 0; i < 2; ++i) {{\n"
        f"{indent(points)}}}\nhere = next;\n"
    )
    rows = (
        f"const {texts.types.name(Kind.REAL)}* line = tile + (top + group * PART + r) * WIDE + left;\n"
        f"{four} here = {taken}(line);\n#pragma unroll\nfor (int c = 0; c < FOURS; c += 4) {{\n{indent(columns)}}}\n"
    )
    return (
        f"constexpr int TURNS = PART * FOURS <= {_UNROLLED} ? PART + 1 : 1;\n"
        f"#pragma unroll TURNS\nfor (int r = 0; r <= PART; ++r) {{\n{indent(rows)}}}\n"
    )


def _gathered(texts: Texts) -> str:
    """Add up what the groups have; the first one goes on."""
    each = "#pragma unroll\nfor (int e = 0; e < 8; ++e) {{\n    {}\n}}\n".format
    place = "((other - 1) * 8 + e) * 128 + own"
    given = each(f"tile[{place}] = sums[e / 4][e % 4];")
    taken = each(f"sums[e / 4][e % 4] += tile[{place}];")
    loop = "for (int other = 1; other < GROUPS; ++other) {{\n{}}}\n".format
    return (
        "#if GROUPS > 1\n__syncthreads();\n"
        + loop(indent(f"if (group == other) {{\n{indent(given)}}}\n"))
        + f"__syncthreads();\nif (group > 0) {{\n    return;\n}}\n#pragma unroll\n{loop(indent(taken))}#endif\n"
    )


def _for_points(found: WindowSum, texts: Texts, text: str) -> str:
    """Do something for each point of a thread."""
    row, col = texts.size(found.row.extent), texts.size(found.col.extent)
    inside = (
        f"const int at_row = first_row + top + i, at_col = first_col + left + j;\n"
        f"if (at_row < {row} && at_col < {col}) {{\n{indent(text)}}}\n"
    )
    columns = f"#pragma unroll\nfor (int j = 0; j < 4; ++j) {{\n{indent(inside)}}}\n"
    return f"#pragma unroll\nfor (int i = 0; i < 2; ++i) {{\n{indent(columns)}}}\n"


def _alone(found: WindowSum, texts: Texts) -> str:
    """Sum up one window without shared memory."""
    for axis, name in ((found.down, "at_down"), (found.across, "at_across")):
        texts.rename(axis, name)
    before, value = _value(found.fold.body, texts)
    loop = f"{before}sums[i][j] += {value};\n"
    for name, count in (("at_across", "ACROSS"), ("at_down", "DOWN")):
        loop = f"for (int {name} = 0; {name} < {count}; ++{name}) {{\n{indent(loop)}}}\n"
    return _for_depth(found, texts, loop)


def _outcome(found: WindowSum, texts: Texts, stored: Stored) -> str:
    texts.known[found.fold] = Value("sums[i][j]", Kind.REAL)
    lines = texts.lines(found.stage.value)
    return "".join(f"{line}\n" for line in lines.lines) + stored(found.stage, lines.values[0])
