"""Which features can change the kernels of a program of nests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields

from agent.composer.nests.collectives.counting import Count, counted
from agent.composer.nests.collectives.tiling import product_of
from agent.composer.nests.kernels import NestWriter
from agent.composer.nests.options import NestOptions, is_coarse, last_block, looks_back, slides, with_scans
from agent.composer.nests.program import NestProgram


def features(program: NestProgram) -> tuple[str, ...]:
    """The features that can change a kernel of this task, in the order in which options declare them."""
    names = (entry.name for entry in fields(NestOptions))
    return tuple(name for name in names if name not in _USEFUL or _USEFUL[name](program))


def _counts(program: NestProgram) -> list[Count]:
    return [count for nest in program.nests for stage in nest.stages if (count := counted(stage))]


def _folds(program: NestProgram) -> bool:
    return any(nest.folds for nest in program.nests)


def _loops(program: NestProgram) -> bool:
    return _folds(program) or any(nest.extra(stage) for nest in program.nests for stage in nest.stages)


def _packs(program: NestProgram) -> bool:
    options = NestOptions(vectorized_loads=True)
    tiled = with_scans(program, options)
    written = [NestWriter(tiled, index, options).write() for index in range(len(tiled.nests))]
    return any(f"define {name}" in line for one in written for line in one.defines for name in _WIDTHS)


_WIDTHS = ("WIDTH", "LANES_OF", "COUNTED")
"""How the macros begin that say how many neighbours go together."""


def _scans(program: NestProgram) -> bool:
    options = NestOptions(look_back_scan=True)
    return any(looks_back(program, stage, options) for nest in program.nests for stage in nest.stages)


def _ends(program: NestProgram) -> bool:
    options = NestOptions(last_block_reduction=True)
    return any(last_block(program, index, options) for index in range(len(program.nests)))


def _slides(program: NestProgram) -> bool:
    options = NestOptions(register_blocking=True)
    return any(slides(program, index, options) for index in range(len(program.nests)))


def _coarsens(program: NestProgram) -> bool:
    options = NestOptions(thread_coarsening=True)
    return any(is_coarse(program, index, options) for index in range(len(program.nests)))


_USEFUL: Mapping[str, Callable[[NestProgram], bool]] = {
    "vectorized_loads": _packs,
    "look_back_scan": _scans,
    "last_block_reduction": _ends,
    "shared_memory_tiling": lambda program: any(product_of(nest) for nest in program.nests),
    "warp_shuffle_reduction": _folds,
    "two_pass_reduction": _folds,
    "loop_unrolling": _loops,
    "register_blocking": _slides,
    "thread_coarsening": _coarsens,
    "privatized_histogram": lambda program: bool(_counts(program)),
}
"""What a feature needs; those that are not here always change something."""
