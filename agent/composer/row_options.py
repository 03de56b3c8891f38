"""Features of row programs, and how they divide rows among threads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.composer.expressions import leaves
from agent.composer.families import RowReduction, place
from agent.composer.ir import Leaf, Node
from agent.composer.options import Options


@dataclass(frozen=True)
class RowOptions(Options):
    """Features of row programs.

    A thread takes a row; with `warp_shuffle_reduction` a warp; with `two_pass_reduction` a block, by a tree
    in shared memory or, with both, by shuffles. A row that is read several times is kept in registers
    (`register_blocking`) or in shared memory (`shared_memory_tiling`) as far as it fits.
    """

    warp_shuffle_reduction: bool = False
    two_pass_reduction: bool = False
    vectorized_loads: bool = False
    register_blocking: bool = False
    shared_memory_tiling: bool = False
    grid_stride_loop: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False

    def settled(self) -> RowOptions:
        """Registers go before shared memory; a kept row needs several threads."""
        shared = self.shared_memory_tiling and not self.register_blocking
        warp = self.warp_shuffle_reduction or (self.register_blocking and not self.two_pass_reduction)
        return replace(
            self,
            shared_memory_tiling=shared,
            two_pass_reduction=self.two_pass_reduction or shared,
            warp_shuffle_reduction=warp,
        )


class LongRowOptions(RowOptions):
    """Features of row programs whose rows are long: a thread alone would walk through thousands of elements."""

    def settled(self) -> LongRowOptions:
        """A warp takes a row, unless a block does."""
        one = super().settled()
        return replace(
            self,
            **vars(one)
            | {"warp_shuffle_reduction": one.warp_shuffle_reduction or not one.two_pass_reduction},
        )


def repeated(family: RowReduction) -> tuple[Leaf, ...]:
    """The leaves with a value for each element that more than one pass over the row reads."""
    passes: list[list[Node]] = [[reduction.operand for reduction in stage] for stage in family.stages]
    passes.append([value for _, value in family.outputs])
    counts: dict[Leaf, int] = {}
    for roots in passes:
        for leaf in leaves(roots):
            if place(leaf, family.space).kind == "full":
                counts[leaf] = counts.get(leaf, 0) + 1
    return tuple(leaf for leaf, count in counts.items() if count > 1)


def features(family: RowReduction) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    kept = repeated(family)
    dtypes = {family.problem.arguments[leaf.name].dtype for leaf in kept}
    useless: set[str] = set() if kept else {"register_blocking", "shared_memory_tiling"}
    if len(dtypes) > 1:
        useless.add("shared_memory_tiling")
    return tuple(name for name in RowOptions(*[True] * 9).features if name not in useless)


@dataclass(frozen=True)
class Mapping:
    """Who works on a row.

    Attributes:
        lanes: Threads on one row, as C text.
        lane: A thread's place among them.
        first: The first row of a thread.
        rows: Rows that a block has at a time, as an expression of kernel files.
    """

    lanes: str
    lane: str
    first: str
    rows: str


def mapping(options: RowOptions) -> Mapping:
    """Choose who works on a row."""
    if options.two_pass_reduction:
        return Mapping("BLOCK", "threadIdx.x", "blockIdx.x", "1")
    if options.warp_shuffle_reduction:
        first = "blockIdx.x * (BLOCK / 32) + threadIdx.x / 32"
        return Mapping("32", "threadIdx.x % 32", first, "(BLOCK // 32)")
    return Mapping("1", "0", "blockIdx.x * BLOCK + threadIdx.x", "BLOCK")
