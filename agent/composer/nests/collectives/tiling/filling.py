"""Tiles come into shared memory: by elements, by packs, through registers ahead of time, or on their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from agent.composer.kernel_text import indent, with_declared
from agent.composer.nests.collectives.tiling.geometry import TileLayout
from agent.composer.nests.collectives.tiling.packing import width
from agent.composer.nests.points import kind_of
from agent.composer.nests.sizes import Axis, Size, combinations
from agent.composer.nests.texts import Texts

ASYNC_COPY = """\
// N neighbours go to shared memory on their own where hardware copies as much; zeros where they are beyond an edge.
template <typename T, int N>
__device__ __forceinline__ void copy_async(T* to, const T* from, const bool inside) {
    constexpr int bytes = N * static_cast<int>(sizeof(T));
    const unsigned int address = static_cast<unsigned int>(__cvta_generic_to_shared(to));
    if constexpr (bytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                     :: "r"(address), "l"(from), "r"(inside ? 16 : 0) : "memory");
    } else if constexpr (bytes >= 4) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                     :: "r"(address), "l"(from), "n"(bytes), "r"(inside ? bytes : 0) : "memory");
    } else {
        *to = inside ? *from : T(0);
    }
}
"""

Decoded = Callable[[str, tuple[Axis, ...]], str]
"""Takes a flat index over some axes apart."""


@dataclass(frozen=True)
class Filler:
    """Writes how the tile of one factor is filled by the `LANES` threads of a group.

    Attributes:
        macro: Name of the define that says how many elements move at a time.
        vectors: Whether packs may move.
        constant: Whether dims are constants of the code, so that edges that no tile has cost nothing.
        parts: Parts that what is summed has, in the code; each is a tile deep at a time.
    """

    tile: TileLayout
    texts: Texts
    decoded: Decoded
    macro: str
    vectors: bool
    constant: bool
    parts: str

    @cached_property
    def packed(self) -> str | None:
        """How many elements move at a time, as an expression of kernel files; None where always one does."""
        at, factor = self.tile.factor.element, self.tile.factor
        if not self.vectors or at is None or at.guards:
            return None
        return width(at.buffer, at.indices, factor.run, self.texts.shapes, self.texts.dtypes[at.buffer])

    @property
    def _width(self) -> str:
        return self.macro if self.packed else "1"

    @property
    def _count(self) -> str:
        return f"({self.tile.across} * {self.tile.deep} / {self._width})"

    @property
    def _held(self) -> str:
        return f"(({self._count} + LANES - 1) / LANES)"

    @property
    def _kept(self) -> str:
        return f"next_{self.tile.factor.side}"

    def declared(self) -> str:
        """Registers for what was read ahead."""
        pack = f"Pack<{self.tile.ctype}, {self.macro}>" if self.packed else self.tile.ctype
        return f"{pack} {self._kept}[{self._held}];\n"

    def direct(self) -> str:
        """Read, and store at once."""
        value = f"Pack<{self.tile.ctype}, {self.macro}>" if self.packed else self.tile.ctype
        zero = "{}" if self.packed else "0"
        return self._each(
            self._here(f"{value} value = {zero};\n{self._read('value')}{self._stored('value')}")
        )

    def ahead(self) -> str:
        """Read into registers."""
        kept = f"{self._kept}[i]"
        clear = f"{kept} = {{}};\n" if self.packed else f"{kept} = 0;\n"
        return self._each(self._here(clear + self._read(kept)))

    def stored(self) -> str:
        """Store what was read ahead."""
        return self._each(self._split() + self._stored(f"{self._kept}[i]"))

    def asynchronous(self) -> str:
        """Copy without waiting; what is computed is stored at once."""
        factor = self.tile.factor
        at = factor.element
        if at is None or at.guards:
            return self.direct()
        place = self.texts.place(at.buffer, at.indices)
        copied = (
            f"copy_async<{self.tile.ctype}, {self._width}>({self._slot()}, "
            f"{self.texts.buffer(at.buffer)} + ({place}), {self._inside()});\n"
        )
        return self._each(self._here(copied))

    def _each(self, body: str) -> str:
        """Do something for each of a thread's packs."""
        count = self._count
        guarded = f"if ({count} % LANES == 0 || e < {count}) {{\n{indent(body)}}}\n"
        inner = f"const int e = item + i * LANES;\n{guarded}"
        return f"#pragma unroll\nfor (int i = 0; i < {self._held}; ++i) {{\n{indent(inner)}}}\n"

    def _split(self) -> str:
        """Where a pack lies in the tile."""
        deep = self.tile.factor.is_deep
        minor = self.tile.deep if deep else self.tile.across
        major, name = ("outer", "inner") if deep else ("inner", "outer")
        times = f" * {self.macro}" if self.packed else ""
        each = f"({minor} / {self._width})" if self.packed else minor
        return f"const int {major} = e / {each};\nconst int {name} = e % {each}{times};\n"

    def _here(self, body: str) -> str:
        """Do something, knowing where a pack lies in the tile, and in the factor."""
        factor, first = self.tile.factor, "first_row" if self.tile.factor.side == "left" else "first_col"
        across = f"const int across = {first} + outer;\n" + self.decoded("across", factor.outer)
        flat = "const int flat = k0 + inner;\n" + self.decoded("flat", factor.depth)
        return with_declared(self._split() + across + flat, body)

    def _inside(self) -> str:
        factor = self.tile.factor
        found = [
            self._within("across", combinations(factor.outer), self.tile.across),
            self._within("flat", combinations(factor.depth), f"({self.tile.deep} * {self.parts})"),
        ]
        return " && ".join(found)

    def _within(self, index: str, extent: Size, tile: str) -> str:
        text = self.texts.size(extent)
        test = f"{index} < {text}"
        return f"(({text}) % {tile} == 0 || {test})" if self.constant else test

    def _read(self, to: str) -> str:
        factor = self.tile.factor
        if self.packed and factor.element is not None:
            at = factor.element
            place = self.texts.place(at.buffer, at.indices)
            pack = f"Pack<{self.tile.ctype}, {self.macro}>"
            load = f"{to} = *reinterpret_cast<const {pack}*>({self.texts.buffer(at.buffer)} + ({place}));\n"
        else:
            lines = self.texts.lines(factor.value)
            (value,) = lines.values
            at = factor.element
            text = (
                self.texts.cast(value, kind_of(factor.value)).text
                if at is None
                else self.texts.stored(at.buffer, value)
            )
            load = "".join(f"{line}\n" for line in lines.lines) + f"{to} = {text};\n"
        return f"if ({self._inside()}) {{\n{indent(load)}}}\n"

    def _slot(self) -> str:
        return f"{self.tile.factor.side}_tile + {self.tile.slot('outer', 'inner')}"

    def _stored(self, value: str) -> str:
        if self.packed:
            pack = f"Pack<{self.tile.ctype}, {self.macro}>"
            return f"*reinterpret_cast<{pack}*>({self._slot()}) = {value};\n"
        return f"*({self._slot()}) = {value};\n"
