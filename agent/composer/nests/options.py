"""Features of kernels made of nests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.composer.nests.fusing import Program
from agent.composer.nests.sizes import product
from agent.composer.options import Options

_LONG = 64
"""Elements for each point from which on several threads share it."""


@dataclass(frozen=True)
class NestOptions(Options):
    """Features of nests. A point that reduces much is a warp's, with `two_pass_reduction` a block's."""

    warp_shuffle_reduction: bool = False
    two_pass_reduction: bool = False
    grid_stride_loop: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False

    def settled(self) -> NestOptions:
        """A block puts its results together by shuffles."""
        if self.two_pass_reduction and self.warp_shuffle_reduction:
            return replace(self, warp_shuffle_reduction=False)
        return self


def features(program: Program) -> tuple[str, ...]:
    """The features that can change a kernel of this task."""
    shared = {"warp_shuffle_reduction", "two_pass_reduction"}
    some = any(nest.folds for nest in program.nests)
    loops = some or any(nest.extra(stage) for nest in program.nests for stage in nest.stages)
    useless = (set() if some else shared) | (set() if loops else {"loop_unrolling"})
    return tuple(name for name in NestOptions(*[True] * 6).features if name not in useless)


def lanes(program: Program, index: int, options: NestOptions) -> int:
    """How many threads work on a point of a nest: 1, 32 or 0 for a whole block."""
    nest = program.nests[index]
    if options.two_pass_reduction and nest.folds:
        return 0
    if options.warp_shuffle_reduction and nest.folds:
        return 32
    points = program.count(product(tuple(axis.extent for axis in nest.axes)))
    extra = max(
        (program.count(product(tuple(a.extent for a in nest.extra(s)))) for s in nest.stages), default=1
    )
    if not nest.folds:
        return 1
    return 0 if points < 4096 and extra == 1 else 32 if extra >= _LONG else 1
