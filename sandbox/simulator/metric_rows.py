"""The table of metrics: name, unit, how it is counted, and the count itself."""

from __future__ import annotations

import math

from sandbox.simulator.coalescing import SECTOR
from sandbox.simulator.cost import instructions_by_pipe, local_requests
from sandbox.simulator.metric_row import Launch, Number, Row, Value
from sandbox.simulator.pipes import ALU, CONTROL, FMA, FP16, FP64, LSU, TENSOR, XU

_ACCESSES = {
    "ld": ("global loads", ("ld", "ldu", "cp")),
    "st": ("global stores", ("st",)),
    "atom": ("global atomics that return a value", ("atom",)),
    "red": ("global atomics that return nothing", ("red",)),
}
_SHARED = {
    "ld": ("loads", ("ld", "ldmatrix")),
    "st": ("stores", ("st", "stmatrix", "cp")),
    "atom": ("atomics", ("atom", "red")),
}


def _of(attribute: str, space: str, *opcodes: str) -> Number:
    """The sum of an attribute over the memory instructions of a space."""
    return lambda launch: sum(getattr(site, attribute) for site in launch.sites(space, *opcodes))


def _where(value: Number, space: str, *opcodes: str) -> Value:
    """The value where the launch executed such an instruction."""
    return lambda launch: value(launch) if launch.sites(space, *opcodes) else None


def _ratio(above: Number, below: Number) -> Value:
    def value(launch: Launch) -> float | None:
        divisor = below(launch)
        return above(launch) / divisor if divisor else None

    return value


def _conflicts(*opcodes: str) -> Number:
    """Wavefronts beyond the fewest."""
    wavefronts, ideal = _of("wavefronts", "shared", *opcodes), _of("ideal", "shared", *opcodes)
    return lambda launch: wavefronts(launch) - ideal(launch)


def _global_sums(short: str) -> list[Row]:
    what, opcodes = _ACCESSES[short]
    end = f"pipe_lsu_mem_global_op_{short}.sum"
    requests, sectors = _of("requests", "global", *opcodes), _of("sectors", "global", *opcodes)
    return [
        Row(
            f"l1tex__t_requests_{end}",
            "request",
            f"Warps that executed {what} with an active lane.",
            _where(requests, "global", *opcodes),
            "sum",
        ),
        Row(
            f"l1tex__t_sectors_{end}",
            "sector",
            f"Distinct 32-byte sectors of each request, of {what}.",
            _where(sectors, "global", *opcodes),
            "sum",
        ),
    ]


def _global_efficiency(short: str) -> list[Row]:
    what, opcodes = _ACCESSES[short]
    end = f"pipe_lsu_mem_global_op_{short}"
    requests, sectors = _of("requests", "global", *opcodes), _of("sectors", "global", *opcodes)

    def asked(launch: Launch) -> float:
        return sum(100 * site.lanes * site.size / SECTOR for site in launch.sites("global", *opcodes))

    return [
        Row(
            f"l1tex__t_bytes_{end}.sum",
            "byte",
            f"Sectors of {what} times 32.",
            _where(lambda launch: SECTOR * sectors(launch), "global", *opcodes),
            "sum",
        ),
        Row(
            f"l1tex__average_t_sectors_per_request_{end}.ratio",
            "sector/request",
            f"Sectors over requests of {what}.",
            _ratio(sectors, requests),
        ),
        Row(
            f"smsp__sass_average_data_bytes_per_sector_mem_global_op_{short}.pct",
            "%",
            f"Bytes that active lanes of {what} asked for over bytes of their sectors; more than 100 where "
            "lanes share bytes.",
            _ratio(asked, sectors),
        ),
    ]


def _shared_sums(short: str) -> list[Row]:
    what, opcodes = _SHARED[short]
    end = f"pipe_lsu_mem_shared_op_{short}.sum"
    return [
        Row(
            f"l1tex__data_pipe_lsu_wavefronts_mem_shared_op_{short}.sum",
            "wavefront",
            f"Of shared-memory {what}: the most distinct words in one of the 32 banks, for each request (for "
            "each half warp of an 8-byte, each quarter warp of a 16-byte access).",
            _where(_of("wavefronts", "shared", *opcodes), "shared", *opcodes),
            "sum",
        ),
        Row(
            f"l1tex__data_bank_conflicts_{end}",
            "conflict",
            f"Of shared-memory {what}: wavefronts beyond the fewest possible, 1, 2 or 4 a request by width.",
            _where(_conflicts(*opcodes), "shared", *opcodes),
            "sum",
        ),
    ]


def _pipe(pipe: str) -> Row:
    return Row(
        f"smsp__inst_executed_pipe_{pipe}.sum",
        "inst",
        f"Those of the {pipe} pipe.",
        lambda launch: instructions_by_pipe(launch.counter).get(pipe) or None,
        "sum",
    )


def _limit(metric: str, name: str, what: str) -> Row:
    return Row(
        f"launch__occupancy_limit_{metric}",
        "block",
        f"Blocks an SM as {what} alone would allow.",
        lambda launch: launch.shape.occupancy.limits[name],
        "launch",
    )


def _lane_instructions(launch: Launch) -> float:
    return sum(count.lanes * len(count.block.instructions) for count in launch.counter.blocks.values())


def _warp_instructions(launch: Launch) -> float:
    return sum(count.warps * len(count.block.instructions) for count in launch.counter.blocks.values())


def _branches(launch: Launch) -> float:
    return sum(count.branches for count in launch.counter.blocks.values())


def _divergent(launch: Launch) -> float:
    return sum(count.divergent for count in launch.counter.blocks.values())


def _uniform(launch: Launch) -> float | None:
    branches = _branches(launch)
    return 100 * (1 - _divergent(launch) / branches) if branches else None


def _l1_hit_rate(launch: Launch) -> float | None:
    loads = _ACCESSES["ld"][1]
    sectors = _of("sectors", "global", *loads)(launch)
    return 100 * max(0.0, 1 - _of("misses", "global", *loads)(launch) / sectors) if sectors else None


def _busiest(launch: Launch) -> float | None:
    sites = launch.sites("global", "atom", "red")
    return max((site.contention.busiest(launch.shape.scale) for site in sites), default=None)


def _waves(launch: Launch) -> float:
    return launch.shape.waves(launch.architecture.multiprocessors)


def _tail(launch: Launch) -> float:
    waves = _waves(launch)
    return 100 * (1 - waves / math.ceil(waves))


def _dram_share(launch: Launch) -> float:
    peak = launch.architecture.dram_gbps * 1e3 * launch.result.latency_us
    return min(100.0, 100 * launch.result.traffic.dram / peak)


_MODEL_ROWS = (
    Row(
        "gpu__time_duration.sum",
        "us",
        "The cost model's latency of the launch (docs/cost-model.md).",
        lambda launch: launch.result.latency_us,
        "model",
    ),
    Row(
        "dram__throughput.avg.pct_of_peak_sustained_elapsed",
        "%",
        "DRAM bytes over peak bandwidth times latency.",
        _dram_share,
        "model",
    ),
    Row(
        "dram__bytes_read.sum",
        "byte",
        "Sectors that global loads touch, once; more where they are shared between blocks and do not fit L2.",
        lambda launch: launch.result.traffic.dram_read,
        "model",
    ),
    Row(
        "dram__bytes_write.sum",
        "byte",
        "The same of stores and atomics.",
        lambda launch: launch.result.traffic.dram_write,
        "model",
    ),
    Row(
        "lts__t_bytes.sum",
        "byte",
        "Sectors of loads that miss L1, and all of stores and atomics, times 32.",
        lambda launch: launch.result.traffic.l2_read + launch.result.traffic.l2_write,
        "model",
    ),
    Row(
        "l1tex__t_sector_pipe_lsu_mem_global_op_ld_hit_rate.pct",
        "%",
        "Sectors of global loads that the block's share of L1 held (an LRU window, empty as it starts).",
        _l1_hit_rate,
        "model",
    ),
)

_SHARED_ROWS = (
    Row(
        "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
        "wavefront",
        "Shared-memory wavefronts of every kind.",
        _where(_of("wavefronts", "shared"), "shared"),
        "sum",
    ),
    Row(
        "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum",
        "conflict",
        "Bank conflicts of every kind.",
        _where(_conflicts(), "shared"),
        "sum",
    ),
    *(row for short in _SHARED for row in _shared_sums(short)),
)

_ATOMIC_ROWS = (
    Row(
        "warpwright__atomics_on_busiest_address.sum",
        "operation",
        "Global atomics of the grid on the address that gets most of them; an address that several sampled "
        "blocks touched is taken to be everyone's.",
        _busiest,
    ),
)

_EXECUTION_ROWS = (
    Row(
        "smsp__inst_executed.sum",
        "inst",
        "PTX instructions that warps executed, each weighted by the machine instructions it stands for; moves "
        "and address conversions count nothing.",
        lambda launch: sum(instructions_by_pipe(launch.counter).values()),
        "sum",
    ),
    *(_pipe(pipe) for pipe in (ALU, CONTROL, FMA, FP16, FP64, LSU, TENSOR, XU)),
    Row(
        "smsp__thread_inst_executed.sum",
        "inst",
        "PTX instructions times the lanes that were active in them.",
        _lane_instructions,
        "sum",
    ),
    Row(
        "smsp__thread_inst_executed_per_inst_executed.ratio",
        "thread/inst",
        "Active lanes of an executed warp instruction, on average; below 32 where warps are split.",
        _ratio(_lane_instructions, _warp_instructions),
    ),
    Row(
        "smsp__sass_branch_targets.sum",
        "branch",
        "Conditional branches that warps executed.",
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
        "smsp__inst_executed_op_local.sum",
        "inst",
        "Loads and stores of local memory in the PTX that warps executed; spills, which the assembler adds, "
        "are in the compiler's report.",
        lambda launch: local_requests(launch.counter) or None,
        "sum",
    ),
    Row(
        "warpwright__barriers.sum",
        "barrier",
        "Times that a block passed a barrier.",
        lambda launch: launch.counter.barriers or None,
        "sum",
    ),
)

_LAUNCH_ROWS = (
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
        "Static and dynamic shared memory.",
        lambda launch: launch.shape.shared_bytes,
        "launch",
    ),
    Row("launch__grid_size", "block", "Blocks of the grid.", lambda launch: launch.shape.blocks, "launch"),
    Row("launch__block_size", "thread", "Threads of a block.", lambda launch: launch.shape.threads, "launch"),
)

ROWS: tuple[Row, ...] = (
    *_MODEL_ROWS,
    *(row for short in ("ld", "st") for row in (*_global_efficiency(short), *_global_sums(short))),
    *_SHARED_ROWS,
    *(row for short in ("atom", "red") for row in _global_sums(short)),
    *_ATOMIC_ROWS,
    *_LAUNCH_ROWS,
    *_EXECUTION_ROWS,
)
"""Every metric, in the order in which they are shown: what explains most comes first."""
