"""Which features can change the kernels of a program of nests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from agent.composer.nests.collectives.counting import Count, counted
from agent.composer.nests.collectives.moments import moments_of
from agent.composer.nests.collectives.sorting import order_of
from agent.composer.nests.collectives.tiling.products import Product, product_of
from agent.composer.nests.kernels import NestWriter
from agent.composer.nests.options import (
    NestOptions,
    covers,
    is_coarse,
    is_deep,
    last_block,
    looks_back,
    slides,
    tensor_feature,
    with_scans,
)
from agent.composer.nests.program import Nest, NestProgram


def features(program: NestProgram) -> tuple[str, ...]:
    """The features that can change a kernel of this task, in the order in which options declare them."""
    names = (entry.name for entry in fields(NestOptions))
    return tuple(name for name in names if name not in _USEFUL or _USEFUL[name](program))


def _counts(program: NestProgram) -> list[Count]:
    return [count for nest in program.nests for stage in nest.stages if (count := counted(stage))]


def _by_points(program: NestProgram) -> list[Nest]:
    """The nests whose points threads, warps or blocks take: orders and sums together have a form of their own."""
    return [nest for nest in program.nests if not order_of(nest.stages[0]) and not moments_of(nest)]


def _folds(program: NestProgram) -> bool:
    return any(nest.folds and not nest.turns for nest in _by_points(program))


def _loops(program: NestProgram) -> bool:
    return _folds(program) or any(nest.extra(stage) for nest in _by_points(program) for stage in nest.stages)


def _packs(program: NestProgram) -> bool:
    """Whether any kernel is another one where neighbours go together."""
    options = NestOptions(vectorized_loads=True)
    tiled = with_scans(program, options)
    return any(
        NestWriter(tiled, index, options).write() != NestWriter(tiled, index, NestOptions()).write()
        for index in range(len(tiled.nests))
    )


def _scans(program: NestProgram) -> bool:
    options = NestOptions(look_back_scan=True)
    return any(looks_back(program, stage, options) for nest in program.nests for stage in nest.stages)


def _ends(program: NestProgram) -> bool:
    options = NestOptions(last_block_reduction=True)
    return any(last_block(program, index, options) for index in range(len(program.nests)))


def _slides(program: NestProgram) -> bool:
    options = NestOptions(thread_coarsening=True)
    return any(slides(program, index, options) for index in range(len(program.nests)))


def _covers(program: NestProgram) -> bool:
    options = NestOptions(stencil_halo_tile=True)
    return any(covers(nest, options) for nest in program.nests)


def _coarsens(program: NestProgram) -> bool:
    options = NestOptions(thread_coarsening=True)
    return any(is_coarse(program, index, options) for index in range(len(program.nests)))


def _products(program: NestProgram) -> list[Product]:
    return [product for nest in program.nests if (product := product_of(nest)) is not None]


def _has_more(program: NestProgram) -> bool:
    """Whether there is anything but products, which come as tiles."""
    return len(_products(program)) < len(program.nests)


def _multiplies(name: str) -> Callable[[NestProgram], bool]:
    """Whether tensor cores that take a dtype have anything to do."""
    return lambda program: any(tensor_feature(program, product) == name for product in _products(program))


def _tiles(program: NestProgram) -> bool:
    return bool(_products(program))


def _useful() -> Iterator[tuple[str, Callable[[NestProgram], bool]]]:
    yield "vectorized_loads", lambda program: _tiles(program) or _packs(program)
    yield "look_back_scan", _scans
    yield "last_block_reduction", _ends
    yield "privatized_histogram", lambda program: bool(_counts(program))
    yield "warp_shuffle_reduction", lambda program: _has_more(program) and _folds(program)
    yield "two_pass_reduction", lambda program: _has_more(program) and _folds(program)
    yield "grid_stride_loop", lambda program: _has_more(program) and bool(_by_points(program))
    yield "read_only_cache", _has_more  # kernels of tiles have it without being asked
    yield "loop_unrolling", lambda program: _has_more(program) and _loops(program)
    yield "stencil_halo_tile", _covers
    yield "thread_coarsening", lambda program: _has_more(program) and (_coarsens(program) or _slides(program))
    yield "mma_half", _multiplies("mma_half")
    yield "mma_bf16", _multiplies("mma_bf16")
    for name in ("shared_memory_tiling", "register_blocking", "register_prefetch", "async_copy_pipeline"):
        yield name, _tiles
    yield "cluster_shared_memory", lambda program: any(is_deep(program, one) for one in _products(program))
    for name in ("sliced_k", "launch_bounds"):
        yield name, _tiles


_USEFUL: Mapping[str, Callable[[NestProgram], bool]] = dict(_useful())
"""What a feature needs; those that are not here always change something."""
