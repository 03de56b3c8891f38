"""Features of kernels made of nests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.composer.nests.arrays import FilledBuffer
from agent.composer.nests.collectives.counting import Count, CountingStyle, counting_style
from agent.composer.nests.collectives.looking_back import LookBack, looked_back
from agent.composer.nests.collectives.moments import moments_of
from agent.composer.nests.collectives.sliding import Sliding, sliding_of
from agent.composer.nests.collectives.tiling.geometry import TileSizes, is_wide, tile_directives
from agent.composer.nests.collectives.tiling.kernels import TileChoices
from agent.composer.nests.collectives.tiling.products import Product, product_of
from agent.composer.nests.collectives.windows import WindowSum, windows_of
from agent.composer.nests.cutting import is_long_scan, tiled
from agent.composer.nests.packing import Packing, packing
from agent.composer.nests.points import folds_in
from agent.composer.nests.program import Nest, NestProgram, is_special
from agent.composer.nests.sizes import Size, combinations
from agent.composer.options import Options

_PLENTY = 1 << 16
"""Points that fill a GPU whatever each of them costs: several threads for each would not pay."""

_MANY = 2048
"""Points that fill a GPU without several threads for each."""

_FEW = 256
"""Points that fill a GPU with a warp for each no longer."""

_LONG = 64
"""Elements for each point from which on several threads share it."""


_TAIL = 4
"""Points that the last block of a launch works on, one after the other."""

_DEEP = 256
"""Elements of a sum that are worth being shared by blocks."""

_NEAR = 8
"""Elements between neighbours that still come in a few accesses."""


_TENSOR = {"float16": "mma_half", "bfloat16": "mma_bf16"}
"""The feature that multiplies elements of a dtype by tensor cores."""

_TILES = frozenset({
    "register_blocking", "register_prefetch", "async_copy_pipeline", "sliced_k", "launch_bounds",
    "mma_half", "mma_bf16", "cluster_shared_memory",
})  # fmt: skip
"""What only tiles of a product have."""


@dataclass(frozen=True)
class NestOptions(Options):
    """Features of nests. A point that reduces much is a warp's, with `two_pass_reduction` a block's."""

    shared_memory_tiling: bool = False
    warp_shuffle_reduction: bool = False
    two_pass_reduction: bool = False
    grid_stride_loop: bool = False
    loop_unrolling: bool = False
    block_size_tuning: bool = False
    read_only_cache: bool = False
    thread_coarsening: bool = False
    constant_dimensions: bool = False
    register_blocking: bool = False
    vectorized_loads: bool = False
    register_prefetch: bool = False
    async_copy_pipeline: bool = False
    sliced_k: bool = False
    launch_bounds: bool = False
    mma_half: bool = False
    mma_bf16: bool = False
    look_back_scan: bool = False
    last_block_reduction: bool = False
    privatized_histogram: bool = False
    stencil_halo_tile: bool = False
    cluster_shared_memory: bool = False

    def settled(self) -> NestOptions:
        """A block puts its results together by shuffles; what tiles have brings them; tiles come in one way."""
        found = self
        if self.two_pass_reduction and self.warp_shuffle_reduction:
            found = replace(found, warp_shuffle_reduction=False)
        if _TILES & set(self.features):
            found = replace(found, shared_memory_tiling=True)
        if self.async_copy_pipeline:
            found = replace(found, register_prefetch=False, vectorized_loads=True)
        if (self.sliced_k or self.launch_bounds) and not (self.mma_half or self.mma_bf16):
            found = replace(found, register_blocking=True)
        return found


def tensor_feature(program: NestProgram, product: Product) -> str | None:
    """The feature that multiplies by tensor cores; None where the factors are not of sixteen bits."""
    arguments = {argument.name: argument.dtype for argument in program.task.arguments}
    elements = [factor.element for factor in (product.left, product.right)]
    dtypes = {"" if at is None else arguments.get(at.buffer, "") for at in elements}
    is_float = program.types.real == "float"
    return _TENSOR.get(dtypes.pop()) if len(dtypes) == 1 and is_float else None


def is_deep(program: NestProgram, product: Product) -> bool:
    """Whether blocks of a cluster find enough to share in what a product sums."""
    return program.count(combinations(product.left.depth)) >= _DEEP


def tile_choices(program: NestProgram, product: Product, options: NestOptions) -> TileChoices:
    """How a product is written."""
    name = tensor_feature(program, product)
    pipeline = "async" if options.async_copy_pipeline else "ahead" if options.register_prefetch else ""
    return TileChoices(
        tensor=name is not None and name in options.features, side=8 if options.register_blocking else 4,
        vectors=options.vectorized_loads, pipeline=pipeline, bounded=options.launch_bounds,
        constant=options.constant_dimensions, clustered=options.cluster_shared_memory and is_deep(program, product),
    )  # fmt: skip


def tile_ending(program: NestProgram, index: int) -> str:
    """What ends the names of the defines of a nest's tiles: nothing where it is the only product."""
    found = [at for at, nest in enumerate(program.nests) if product_of(nest) is not None]
    return "" if found == [index] else f"_{index + 1}"


def tile_lines(program: NestProgram, options: NestOptions) -> list[str]:
    """The defines and tunables of a program's tiles; none where it has no product."""
    sizes = {
        tile_ending(program, index): _tile_sizes(program, product, options)
        for index, nest in enumerate(program.nests)
        if (product := product_of(nest)) is not None
    }
    if not options.shared_memory_tiling or not sizes:
        return []
    tensor = any(one.tensor for one in sizes.values())
    stages = 1 if not options.async_copy_pipeline else 3 if tensor and not options.sliced_k else 2
    return tile_directives(sizes, stages, swept=options.block_size_tuning)


def _tile_sizes(program: NestProgram, product: Product, options: NestOptions) -> TileSizes:
    choices = tile_choices(program, product, options)
    extents = (product.left.outer, product.right.outer, product.left.depth)
    rows, columns, depth = (program.count(combinations(axes)) for axes in extents)
    wide = is_wide(program.types)
    return TileSizes(choices.side, choices.tensor, wide, options.sliced_k, rows, columns, depth)


def lanes(program: NestProgram, index: int, options: NestOptions) -> int:
    """How many threads work on a point of a nest: 1, 32 or 0 for a whole block."""
    nest = program.nests[index]
    if not nest.folds or nest.turns:
        return 1
    points = program.count(nest.points)
    shared = options.two_pass_reduction or options.warp_shuffle_reduction
    if points >= (_PLENTY if shared else _MANY) and _is_side_by_side(nest):
        return 1
    if options.two_pass_reduction:
        return 0
    extra = max((program.count(combinations(nest.extra(s))) for s in nest.stages), default=1)
    if options.warp_shuffle_reduction or max(extra, _folded(program, nest)) >= _LONG:
        return 32 if points >= _FEW else 0
    return 0 if points < _MANY else 1


def _folded(program: NestProgram, nest: Nest) -> int:
    """The most elements that a fold of a nest takes in at one point."""
    folds = (fold for stage in nest.stages for fold in folds_in(stage.value))
    return max((program.count(combinations(fold.axes), 1) for fold in folds), default=1)


def is_coarse(program: NestProgram, index: int, options: NestOptions) -> bool:
    """Whether a thread takes several points, for which it reads once what they share."""
    nest = program.nests[index]
    plain = len(nest.stages) == 1 and not nest.extra(nest.stages[0]) and nest.folds
    if is_tiled(nest, options) or slides(program, index, options) or covers(nest, options):
        return False
    if nest.shapes_loops(nest.axes):
        return False
    special = any(is_special(stage) for stage in nest.stages)
    return options.thread_coarsening and plain and not special and lanes(program, index, options) == 1


def is_tiled(nest: Nest, options: NestOptions) -> bool:
    """Whether tiles of a product are in shared memory."""
    return options.shared_memory_tiling and product_of(nest) is not None


def covers(nest: Nest, options: NestOptions) -> WindowSum | None:
    """How windows of a nest lie in shared memory; None where they do not."""
    return windows_of(nest) if options.stencil_halo_tile and not is_tiled(nest, options) else None


def slides(program: NestProgram, index: int, options: NestOptions) -> Sliding | None:
    """How the windows of a thread's points overlap in registers; None where they do not."""
    nest = program.nests[index]
    if not options.thread_coarsening or lanes(program, index, options) != 1 or is_tiled(nest, options):
        return None
    if covers(nest, options):
        return None
    return sliding_of(nest)


def is_packed(program: NestProgram, index: int, options: NestOptions) -> Packing | None:
    """How a thread takes neighbouring points of a nest; None where it does not."""
    nest = program.nests[index]
    if not options.vectorized_loads or lanes(program, index, options) != 1:
        return None
    if is_tiled(nest, options) or slides(program, index, options) or covers(nest, options):
        return None
    return packing(nest, program.shapes, program.dtypes)


def looks_back(program: NestProgram, stage: FilledBuffer, options: NestOptions) -> LookBack | None:
    """How a stage is scanned in one pass; None where it is not."""
    if not options.look_back_scan or not is_long_scan(program, stage):
        return None
    return looked_back(stage, program.types, program.shapes)


def last_block(program: NestProgram, index: int, options: NestOptions) -> Nest | None:
    """What the last block of a nest does of the work of the next one; None where that is a kernel of its own."""
    if not options.last_block_reduction or index + 1 >= len(program.nests):
        return None
    if index and last_block(program, index - 1, options) is not None:
        return None
    nest, tail = program.nests[index], program.nests[index + 1]
    if moments_of(nest):
        return None
    special = any(is_special(stage) or stage.is_scattered for one in (nest, tail) for stage in one.stages)
    few = program.count(tail.points) <= _TAIL and not any(tail.extra(stage) for stage in tail.stages)
    if special or not few or not tail.folds or lanes(program, index + 1, options) != 0:
        return None
    if is_tiled(nest, options) or slides(program, index, options) or covers(nest, options):
        return None
    made = {stage.name for stage in nest.stages}
    reads = any(at.buffer in made for stage in tail.stages for at in stage.reads())
    return tail if reads else None


def counts_by(program: NestProgram, count: Count, options: NestOptions) -> CountingStyle:
    """How elements of a histogram are counted."""
    return counting_style(
        count, program.shapes, program.dtypes,
        copies=options.privatized_histogram, vectorized=options.vectorized_loads,
    )  # fmt: skip


def with_scans(program: NestProgram, options: NestOptions) -> NestProgram:
    """The program with long scans in tiles, but those that are to be scanned in one pass."""
    stages = [stage for nest in program.nests for stage in nest.stages]
    return tiled(program, {stage.name for stage in stages if looks_back(program, stage, options)})


def _is_side_by_side(nest: Nest) -> bool:
    """Whether points next to each other read elements next to each other, or a few apart."""
    last = nest.axes[-1] if nest.axes else None
    own = {stage.name for stage in nest.stages}
    loads = [at for stage in nest.stages for at in stage.reads() if at.indices and at.buffer not in own]
    beside = [
        at
        for at in loads
        if isinstance(at.indices[-1], Size)
        and any(atoms == (last,) and abs(factor) <= _NEAR for atoms, factor in at.indices[-1].terms)
    ]
    return 2 * len(beside) >= len(loads)
