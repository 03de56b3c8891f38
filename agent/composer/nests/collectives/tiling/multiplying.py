"""Products of two tiles by plain arithmetic: a thread sums a square block of results in registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.composer.kernel_text import indent
from agent.composer.nests.collectives.tiling.geometry import TileLayout


def loop(index: str, end: object, body: str, step: int = 1) -> str:
    """Write an unrolled loop from 0."""
    turn = f"++{index}" if step == 1 else f"{index} += {step}"
    return f"#pragma unroll\nfor (int {index} = 0; {index} < {end}; {turn}) {{\n{indent(body)}}}\n"


Converted = Callable[[str], str]
"""Writes an element of a tile as a value that is multiplied."""


@dataclass(frozen=True)
class Multiplier:
    """Writes the sums of products of one group.

    A warp has four threads along the rows and eight along the columns of its part of a tile, so that what it reads
    at a time lies in different banks. A thread's results are neighbours in fours where the tile is read across, and
    strided where it is deep.

    Attributes:
        side: Results along each side of a thread's block; a multiple of four.
        ctype: Of the sums.
        left_value: How an element of the left tile becomes a value; `right_value` likewise.
    """

    left: TileLayout
    right: TileLayout
    side: int
    ctype: str
    left_value: Converted
    right_value: Converted

    @property
    def pitch(self) -> str:
        """How far rows of results are apart in shared memory: further where single ones are put there."""
        return "(BN + 8)" if self.right.factor.is_deep else "BN"

    def declared(self) -> str:
        """Where a thread's results lie, and its sums."""
        deep_row, deep_col = self.left.factor.is_deep, self.right.factor.is_deep
        row = "lane / 8" if deep_row else "lane / 8 * 4"
        col = "lane % 8" if deep_col else "lane % 8 * 4"
        across = f"(BN / {8 * self.side})"
        return (
            f"const int row = warp / {across} * {4 * self.side} + {row};\n"
            f"const int col = warp % {across} * {8 * self.side} + {col};\n"
            f"{self.ctype} sums[{self.side}][{self.side}] = {{}};\n"
        )

    def row(self, r: str) -> str:
        """The `r`-th row of a thread, within the tile."""
        return f"row + {r} * 4" if self.left.factor.is_deep else f"row + {r} / 4 * 16 + {r} % 4"

    def col(self, s: str) -> str:
        """The `s`-th column of a thread, within the tile."""
        return f"col + {s} * 8" if self.right.factor.is_deep else f"col + {s} / 4 * 32 + {s} % 4"

    def step(self) -> str:
        """Add the products of two tiles."""
        side = self.side
        ahead = self._ahead(self.left, "left", self.row("r"), "r")
        ahead += self._ahead(self.right, "right", self.col("s"), "s")
        inner = f"{self.ctype} left[{side}], right[{side}];\n"
        inner += self._taken(self.left, "left", "row", 16, "r", self.left_value)
        inner += self._taken(self.right, "right", "col", 32, "s", self.right_value)
        inner += loop("r", side, loop("s", side, "sums[r][s] += left[r] * right[s];\n"))
        return loop("kk", "BK", ahead + loop("q", 4, inner), 4)

    def _ahead(self, tile: TileLayout, name: str, place: str, index: str) -> str:
        """Of a deep tile, read four neighbours of each of a thread's rows or columns."""
        if not tile.factor.is_deep:
            return ""
        pack = f"Pack<{tile.ctype}, 4>"
        read = f"*reinterpret_cast<const {pack}*>({name}_tile + {tile.slot(place, 'kk')})"
        return f"{pack} {name}_deep[{self.side}];\n" + loop(
            index, self.side, f"{name}_deep[{index}] = {read};\n"
        )

    def _taken(self, tile: TileLayout, name: str, first: str, step: int, index: str, value: Converted) -> str:
        """The values of one step of what is summed."""
        if tile.factor.is_deep:
            text = value(f"{name}_deep[{index}].lane[q]")
            return loop(index, self.side, f"{name}[{index}] = {text};\n")
        pack = f"Pack<{tile.ctype}, 4>"
        place = tile.slot(f"{first} + {index} * {step}", "kk + q")
        read = f"const {pack} four = *reinterpret_cast<const {pack}*>({name}_tile + {place});\n"
        taken = loop("j", 4, f"{name}[4 * {index} + j] = {value('four.lane[j]')};\n")
        return loop(index, self.side // 4, read + taken)

    def handed_over(self) -> str:
        """Add a thread's sums to the block's results, or put them there where its group is the first."""
        side, deep = self.side, self.right.factor.is_deep
        step = 1 if deep else 4
        pack = f"Pack<{self.ctype}, {step}>"
        column = self.col("s") if deep else "col + s * 8"
        place = f"results + ({self.row('r')}) * {self.pitch} + {column}"
        inner = (
            f"{pack}* const to = reinterpret_cast<{pack}*>({place});\n"
            f"{pack} some = {{}};\nif (g > 0) {{\n    some = *to;\n}}\n"
            + loop("j", step, "some.lane[j] += sums[r][s + j];\n")
            + "*to = some;\n"
        )
        return loop("r", side, loop("s", side, inner, step))
