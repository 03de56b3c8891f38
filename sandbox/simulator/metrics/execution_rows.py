"""Metrics of what warps execute and of how the launch fills the device."""

from __future__ import annotations

import math

from sandbox.simulator.cost.pipes import ALU, CONTROL, FMA, FP16, FP64, LSU, TENSOR, XU
from sandbox.simulator.metrics.row import CountedLaunch, Row


def _pipe(pipe: str) -> Row:
    return Row(
        f"smsp__inst_executed_pipe_{pipe}.sum",
        "inst",
        f"Those of the {pipe} pipe.",
        lambda launch: launch.mix.by_pipe.get(pipe) or None,
        "work",
    )


def _limit(metric: str, name: str, what: str) -> Row:
    return Row(
        f"launch__occupancy_limit_{metric}",
        "block",
        f"Blocks an SM as {what} alone would allow.",
        lambda launch: launch.shape.occupancy.limits[name],
        "launch",
    )


def _lanes(launch: CountedLaunch) -> float | None:
    mix = launch.mix
    return mix.thread_instructions / mix.issued if mix.issued else None


def _branches(launch: CountedLaunch) -> float:
    return sum(count.branches for count in launch.counter.blocks.values())


def _divergent(launch: CountedLaunch) -> float:
    return sum(count.divergent for count in launch.counter.blocks.values())


def _uniform(launch: CountedLaunch) -> float | None:
    branches = _branches(launch)
    return 100 * (1 - _divergent(launch) / branches) if branches else None


def _waves(launch: CountedLaunch) -> float:
    return launch.shape.waves(launch.architecture.multiprocessors)


def _tail(launch: CountedLaunch) -> float:
    waves = _waves(launch)
    return 100 * (1 - waves / math.ceil(waves))


EXECUTION_ROWS = (
    Row(
        "smsp__inst_executed.sum",
        "inst",
        "PTX instructions that warps executed, each weighted by the machine instructions it stands for "
        "(docs/cost-model.md); moves and address conversions count nothing.",
        lambda launch: launch.mix.issued,
        "work",
    ),
    *(_pipe(pipe) for pipe in (ALU, CONTROL, FMA, FP16, FP64, LSU, TENSOR, XU)),
    Row(
        "smsp__thread_inst_executed.sum",
        "inst",
        "The same, times the lanes that were active.",
        lambda launch: launch.mix.thread_instructions,
        "work",
    ),
    Row(
        "smsp__thread_inst_executed_per_inst_executed.ratio",
        "thread/inst",
        "Active lanes of an executed warp instruction, on average; below 32 where warps are split.",
        _lanes,
        "model",
    ),
    Row(
        "smsp__sass_branch_targets.sum",
        "branch",
        "Conditional branches of the PTX that warps executed; the assembler may make predicates of short ones.",
        _branches,
        "sum",
    ),
    Row(
        "smsp__sass_branch_targets_threads_divergent.sum",
        "branch",
        "Of these, the ones whose active lanes went both ways.",
        _divergent,
        "sum",
    ),
    Row(
        "smsp__sass_average_branch_targets_threads_uniform.pct",
        "%",
        "Conditional branches whose active lanes stayed together.",
        _uniform,
    ),
    Row(
        "warpwright__barriers.sum",
        "barrier",
        "Times that a block passed a barrier.",
        lambda launch: launch.counter.barriers or None,
        "sum",
    ),
)

LAUNCH_ROWS = (
    Row(
        "sm__maximum_warps_per_active_cycle_pct",
        "%",
        "Theoretical occupancy: warps of the blocks that fit an SM over the warps that it has room for.",
        lambda launch: 100 * launch.shape.occupancy.fraction,
        "launch",
    ),
    _limit("blocks", "blocks", "the limit on blocks"),
    _limit("registers", "registers", "registers"),
    _limit("shared_mem", "shared_memory", "shared memory"),
    _limit("warps", "warps", "threads"),
    Row(
        "launch__waves_per_multiprocessor",
        "wave",
        "Blocks of the grid over the blocks that the whole device holds.",
        _waves,
        "launch",
    ),
    Row(
        "warpwright__wave_tail.pct",
        "%",
        "Block slots that the last wave leaves empty, of those of all waves.",
        _tail,
        "launch",
    ),
    Row(
        "launch__registers_per_thread",
        "register/thread",
        "From the assembler's report.",
        lambda launch: launch.shape.registers,
        "launch",
    ),
    Row(
        "launch__shared_mem_per_block",
        "byte/block",
        "Static and dynamic shared memory, and what the system reserves of it.",
        lambda launch: launch.shape.shared_bytes + launch.architecture.shared_reserved,
        "launch",
    ),
    Row("launch__grid_size", "block", "Blocks of the grid.", lambda launch: launch.shape.blocks, "launch"),
    Row("launch__block_size", "thread", "Threads of a block.", lambda launch: launch.shape.threads, "launch"),
)
