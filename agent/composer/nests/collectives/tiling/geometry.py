"""How large the tiles of a product are, and how they lie in shared memory."""

from __future__ import annotations

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


def result_bytes(ctype: str) -> str:
    """What a block's results take in shared memory."""
    return f"BM * (BN + 4) * {_BYTES[ctype]}"


@dataclass(frozen=True)
class TileSizes:
    """Tiles of the products of one program.

    Attributes:
        side: Results along each side of a thread's block.
        tensor: Whether there is a product by tensor cores.
        scalar: Whether there is one by plain arithmetic.
        wide: Whether elements are of eight bytes.
        sliced: Whether several groups of threads share what is summed.
        stages: Tiles of each factor that are there at once.
    """

    side: int
    tensor: bool
    scalar: bool
    wide: bool
    sliced: bool
    stages: int

    def directives(self, *, swept: bool) -> list[str]:
        """The defines and tunables that kernels of tiles go by."""
        small, tall = (32, 64) if self.wide else (64, 128)
        rows = tall if self.tensor and not self.sliced else small
        lines = [
            tune("BM", rows, (small, tall), swept=swept),
            tune("BN", 64, (64, 128), swept=swept and not self.wide),
            f"//@ define STAGES = {self.stages}",
        ]
        groups = "max(1, 256 // {})" if self.sliced else "1"
        if self.scalar:
            lines += [
                f"//@ define BK = {8 if self.wide else 16}",
                f"//@ define LANES = (BM // {self.side}) * (BN // {self.side})",
                f"//@ define GROUPS = {groups.format('LANES')}",
            ]
        if self.tensor:
            lines += [
                f"//@ define MMA_BK = {64 if not self.wide else 16}",
                f"//@ define MMA_LANES = (BM // {8 * self.side}) * (BN // 32) * 32",
                f"//@ define MMA_GROUPS = {groups.format('MMA_LANES')}",
            ]
        return lines


def is_wide(types: Types) -> bool:
    """Whether a program computes in eight bytes."""
    return types.real in _WIDE or types.integer in _WIDE
