"""Writes the kernel file of a program of nests."""

from __future__ import annotations

from agent.composer.gathering import block_by_shuffles, warp_function
from agent.composer.kernel_text import SIZED_PACK, file_text, tune
from agent.composer.nests.at_points import folds_first
from agent.composer.nests.buffers import scratch
from agent.composer.nests.collectives import counting, looking_back, scanning, selecting, solving, sorting
from agent.composer.nests.collectives.moments import moments_of
from agent.composer.nests.collectives.scanning import scanned
from agent.composer.nests.kernels import NestWriter
from agent.composer.nests.offering import features
from agent.composer.nests.options import (
    NestOptions,
    is_tiled,
    lanes,
    last_block,
    looks_back,
    tile_lines,
    with_scans,
)
from agent.composer.nests.points import kind_of
from agent.composer.nests.program import Nest, NestProgram
from agent.composer.nests.texts import FLOORED, size_macro

__all__ = ["NestOptions", "emit", "features"]


def emit(program: NestProgram, options: NestOptions) -> str:
    """Write the kernel file."""
    program = with_scans(program, options)
    written = [
        NestWriter(program, index, options).write()
        for index in range(len(program.nests))
        if not index or last_block(program, index - 1, options) is None
    ]
    code = "\n".join(one.code for one in written)
    helpers = [FLOORED] if "floor_" in code else []
    helpers += [SIZED_PACK.strip("\n") + "\n"] if "Pack<" in code else []
    helpers += _gathering(program, options)
    helpers += dict.fromkeys(text.strip("\n") + "\n" for one in written for text in one.functions)
    helpers = list(dict.fromkeys(helpers))
    directives = [
        *(
            [tune("BLOCK", _block(program), (128, 256, 512), swept=options.block_size_tuning)]
            if any("BLOCK" in one.launch for one in written)
            else []
        ),
        *(
            [tune("UNROLL", 4, (2, 4, 8), swept=not options.block_size_tuning)]
            if options.loop_unrolling
            else []
        ),
        *(
            [tune("GRID", 1056, (528, 1056), swept=not options.block_size_tuning)]
            if options.grid_stride_loop
            else []
        ),
        *(
            f"//@ define {size_macro(dim)} = {dim}"
            for dim in sorted(frozenset[str]().union(*(w.macros for w in written)))
        ),
        *tile_lines(program, options),
        *([tune("COARSE", 4, (2, 4, 8), swept=not options.block_size_tuning)] if "COARSE" in code else []),
        *([tune("WINDOW", 8, (4, 8, 16), swept=not options.block_size_tuning)] if "WINDOW" in code else []),
        *dict.fromkeys(line for one in written for line in one.defines),
        *scratch(program),
        *(one.launch for one in written),
    ]
    used = [argument.dtype for argument in program.task.arguments]
    headline = "Nests: loops over what the reference computes, one kernel for what shares its first axes."
    return file_text(headline, options.features, directives, used, [*helpers, code])


def _block(program: NestProgram) -> int:
    """Threads of a block: fewer where the last of few blocks goes on alone."""

    def ends_alone(nest: Nest) -> bool:
        order = sorting.order_of(nest.stages[0])
        return not order.is_whole if order else moments_of(nest) is not None

    return 128 if all(ends_alone(nest) for nest in program.nests) else 256


def _gathering(program: NestProgram, options: NestOptions) -> list[str]:
    types = program.types
    texts: dict[str, None] = {}
    for index, nest in enumerate(program.nests):
        many = lanes(program, index, options)
        if is_tiled(nest, options):
            continue
        for stage in nest.stages:
            if stage.turns or counting.counted(stage) or solving.solved(stage):
                continue
            if order := sorting.order_of(stage):
                made = sorting.functions(order, types)
                made += [] if order.is_whole else selecting.functions(order)
                texts |= dict.fromkeys(text.strip("\n") for text in made)
                continue
            if looks_back(program, stage, options):
                texts |= dict.fromkeys(text.strip("\n") for text in looking_back.functions(stage, types))
                continue
            if scanned(stage):
                texts |= dict.fromkeys(text.strip("\n") for text in scanning.functions(stage, types))
                continue
            for fold in folds_first(stage) if many != 1 else ():
                kind = kind_of(fold)
                if many == 32:
                    made = [warp_function(fold.op, kind, types, f"warp_{fold.op}")]
                else:
                    made = block_by_shuffles(fold.op, kind, types).split("\n\n")
                texts |= dict.fromkeys(text.strip("\n") for text in made)
    return [f"{text}\n" for text in texts]
