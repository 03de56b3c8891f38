"""Which dozen of a launch's metrics tell most of what bounds it, under Nsight Compute's names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.device import Bottleneck, Metric
from tools.mcp.limits import METRICS

_ALWAYS = (
    "dram__throughput.avg.pct_of_peak_sustained_elapsed",
    "sm__maximum_warps_per_active_cycle_pct",
    "launch__registers_per_thread",
    "launch__waves_per_multiprocessor",
)
_LOADS = (
    "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio",
    "smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct",
    "l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_st.ratio",
    "smsp__sass_average_data_bytes_per_sector_mem_global_op_st.pct",
)
_TRAFFIC = (
    "dram__bytes_read.sum",
    "dram__bytes_write.sum",
    "lts__t_sector_hit_rate.pct",
    "l1tex__t_sector_pipe_lsu_mem_global_op_ld_hit_rate.pct",
)
_SHARED = (
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_ld.sum",
    "l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_st.sum",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.sum",
    "smsp__inst_executed_op_shared_ld.sum",
)
_ISSUED = (
    "smsp__inst_executed.sum",
    "smsp__thread_inst_executed_per_inst_executed.ratio",
    "smsp__sass_average_branch_targets_threads_uniform.pct",
)
_RESIDENT = (
    "launch__occupancy_limit_registers",
    "launch__occupancy_limit_shared_mem",
    "launch__grid_size",
    "launch__block_size",
    "warpwright__wave_tail.pct",
    "warpwright__barriers.sum",
)
_PIPES = tuple(f"smsp__inst_executed_pipe_{pipe}.sum" for pipe in ("fma", "alu", "xu", "fp64", "fp16", "lsu"))
_TENSOR = (
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed",
    "sm__inst_executed_pipe_tensor.sum",
    "smsp__inst_executed_pipe_tensor.sum",
)
_ATOMICS = (
    "warpwright__atomics_on_busiest_address.sum",
    "l1tex__t_requests_pipe_lsu_mem_global_op_red.sum",
    "l1tex__t_requests_pipe_lsu_mem_global_op_atom.sum",
    "l1tex__t_sectors_pipe_lsu_mem_global_op_red.sum",
)
_SPILLED = ("smsp__inst_executed_op_local_ld.sum", "smsp__inst_executed_op_local_st.sum")

_MEMORY = (*_TRAFFIC, *_LOADS, *_SPILLED)
_COMPUTE = (*_ISSUED, *_PIPES, *_SPILLED)
_FIRST: dict[Bottleneck, Sequence[str]] = {
    Bottleneck.DRAM: _MEMORY,
    Bottleneck.L2: (*_MEMORY, "lts__t_bytes.sum"),
    Bottleneck.L1: (*_LOADS, *_SHARED, *_TRAFFIC),
    Bottleneck.SHARED_MEMORY: (*_SHARED, *_LOADS),
    Bottleneck.TENSOR: (*_TENSOR, *_SHARED),
    Bottleneck.ATOMICS: (*_ATOMICS, *_TRAFFIC),
    Bottleneck.LATENCY: (*_RESIDENT, *_LOADS),
    Bottleneck.ISSUE: (*_COMPUTE, *_LOADS),
}
"""By what bounds a launch, what shows why, the most telling first; pipes show what `_COMPUTE` has."""


def telling(bottleneck: Bottleneck, metrics: Iterable[Metric]) -> list[Metric]:
    """Return the metrics that say most about a bottleneck, at most a dozen, then others in their own order.

    A number that is zero tells something only where it is asked for: those are left out of what fills up.
    """
    known = {metric.name: metric for metric in metrics}
    first = [name for name in (*_ALWAYS, *_FIRST.get(bottleneck, _COMPUTE)) if name in known]
    chosen = list(dict.fromkeys(first))[:METRICS]
    others = [name for name, metric in known.items() if metric.value and name not in chosen]
    return [known[name] for name in (*chosen, *others[: METRICS - len(chosen)])]
