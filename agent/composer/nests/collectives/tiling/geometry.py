"""How large the tiles of a product are, and how they lie in shared memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.composer.expressions import Types, storage
from agent.composer.kernel_text import tune
from agent.composer.nests.collectives.tiling.products import Factor
from agent.composer.nests.points import kind_of
from sandbox.dtypes import DTYPE_BYTES

_WIDE = frozenset({"double", "long long"})
_BYTES = {"bool": 1, "int": 4, "float": 4, "double": 8, "long long": 8}


@dataclass(frozen=True)
class TileLayout:
    """A factor's tile in shared memory: it lies there as in global memory, each row sixteen bytes longer.

    Attributes:
        across: Its extent along the result, `BM` or `BN`.
        deep: Its extent along what is summed.
        ctype: Of its elements.
        size: Bytes of an element.
    """

    factor: Factor
    across: str
    deep: str
    ctype: str
    size: int

    @property
    def pitch(self) -> str:
        """Elements from one row to the next."""
        return f"({self.deep if self.factor.is_deep else self.across} + {16 // self.size})"

    @property
    def bytes(self) -> str:
        """Its size."""
        return f"{self.across if self.factor.is_deep else self.deep} * {self.pitch} * {self.size}"

    def slot(self, outer: str, inner: str) -> str:
        """Where an element lies."""
        row, column = (outer, inner) if self.factor.is_deep else (inner, outer)
        return f"({row}) * {self.pitch} + {column}"


def layout(factor: Factor, dtype: str | None, types: Types, deep: str) -> TileLayout:
    """The tile of a factor: of a buffer's own type where it is an element of one."""
    ctype = types.name(kind_of(factor.value)) if dtype is None else storage(dtype)
    size = _BYTES[ctype] if dtype is None else DTYPE_BYTES[dtype]
    return TileLayout(factor, "BM" if factor.side == "left" else "BN", deep, ctype, size)


def result_bytes(ctype: str, pitch: str) -> str:
    """What a block's results take in shared memory, rows so far apart."""
    return f"BM * {pitch} * {_BYTES[ctype]}"


@dataclass(frozen=True)
class TileSizes:
    """How large the tiles of one product are, by what it has at its largest.

    Attributes:
        side: Results along each side of a thread's block.
        tensor: Whether tensor cores multiply.
        wide: Whether elements are of eight bytes.
        sliced: Whether several groups of threads share what is summed.
        rows: Of the result.
        columns: Of the result.
        depth: Elements that are summed.
    """

    side: int
    tensor: bool
    wide: bool
    sliced: bool
    rows: int
    columns: int
    depth: int

    def heights(self) -> tuple[int, ...]:
        """Extents along the rows that are worth a try; the first is the usual one."""
        choices = (32, 64) if self.wide else (128, 64) if self.tensor and not self.sliced else (64, 128)
        return _fitting(choices, self.rows, 8 * self.side if self.tensor else 4 * self.side)

    def widths(self) -> tuple[int, ...]:
        """The same along the columns."""
        least = 32 if self.tensor else 8 * self.side
        return _fitting((64,) if self.wide else (64, 128), self.columns, least)

    def defines(self, name: Callable[[str], str]) -> list[str]:
        """What follows from the extents; `name` says how BM, BN, BK, LANES and GROUPS are called."""
        down, across = (8 * self.side, 1) if self.tensor else (self.side, self.side)
        deep = (16 if self.wide else 64) if self.tensor else 8 if self.wide else 16
        most = max(1, self.depth // (4 * deep))
        groups = f"max(1, min(256 // {name('LANES')}, {most}))" if self.sliced and most > 1 else "1"
        return [
            f"//@ define {name('BK')} = {deep}",
            f"//@ define {name('LANES')} = ({name('BM')} // {down}) * ({name('BN')} // {across})",
            f"//@ define {name('GROUPS')} = {groups}",
        ]


def _fitting(choices: Sequence[int], extent: int, least: int) -> tuple[int, ...]:
    """The choices, none larger than what covers an extent at once."""
    room = least
    while room < extent:
        room *= 2
    return tuple(dict.fromkeys(min(one, room) for one in choices))


def tile_directives(sizes: Mapping[str, TileSizes], stages: int, *, swept: bool) -> list[str]:
    """The tunables and defines that a program's kernels of tiles go by.

    Args:
        sizes: Of each product, by what ends the names of its defines; none ends those of one that is alone.
        stages: Tiles of each factor that are there at once.
        swept: Whether extents are tried out.
    """
    every = list(sizes.values())
    lines = [_extent(name, values, swept=swept) for name, values in (
        ("BM", max((one.heights() for one in every), key=max)), ("BN", max((one.widths() for one in every), key=max)),
    )]  # fmt: skip
    lines.append(f"//@ define STAGES = {stages}")
    for ending, one in sizes.items():
        if ending:
            lines.append(f"//@ define BM{ending} = min(BM, {max(one.heights())})")
            lines.append(f"//@ define BN{ending} = min(BN, {max(one.widths())})")
        lines += one.defines(lambda name, ending=ending: f"{name}{ending}")
    return lines


def _extent(name: str, values: tuple[int, ...], *, swept: bool) -> str:
    return tune(name, values[0], sorted(values), swept=swept and len(values) > 1)


def ended(text: str, ending: str) -> str:
    """Write a text with the defines of one of several products."""
    return re.sub(r"\b(BM|BN|BK|LANES|GROUPS)\b", rf"\1{ending}", text) if ending else text


def is_wide(types: Types) -> bool:
    """Whether a program computes in eight bytes."""
    return types.real in _WIDE or types.integer in _WIDE
