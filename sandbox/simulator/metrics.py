"""The counts under Nsight Compute's metric names (Nsight Compute 2025.3, "Metrics Reference").

Instruction counts are of PTX instructions weighted as in `pipes`, not of machine code, so they come close to
Nsight's and do not equal them. Counts of a sample are scaled to the grid, and then are estimates.
"""

from __future__ import annotations

from sandbox.device import Metric
from sandbox.simulator.cost import Estimate, LaunchShape, instructions_by_pipe
from sandbox.simulator.counting import Counter, total
from sandbox.verdict import Provenance

_LOAD, _STORE, _ATOMIC = frozenset({"load"}), frozenset({"store"}), frozenset({"atomic"})
_ANY = frozenset({"load", "store", "atomic"})


def metrics(counter: Counter, shape: LaunchShape, result: Estimate, registers: int) -> tuple[Metric, ...]:
    """Every metric of one launch."""
    exact = shape.sampled == shape.blocks
    counted = Provenance.COUNTED if exact else Provenance.ESTIMATED
    found = [Metric(name, value * shape.scale, unit, counted) for name, value, unit in _memory(counter)]
    found += [Metric(name, value, unit, counted) for name, value, unit in _ratios(counter)]
    work = instructions_by_pipe(counter)
    found.append(Metric("smsp__inst_executed.sum", sum(work.values()) * shape.scale, "inst", counted))
    found += [
        Metric(f"smsp__inst_executed_pipe_{pipe}.sum", value * shape.scale, "inst", counted)
        for pipe, value in sorted(work.items())
    ]
    traffic = result.traffic
    found += [
        Metric("lts__t_bytes.sum", traffic.l2_read + traffic.l2_write, "byte", Provenance.ESTIMATED),
        Metric("dram__bytes_read.sum", traffic.dram_read, "byte", Provenance.ESTIMATED),
        Metric("dram__bytes_write.sum", traffic.dram_write, "byte", Provenance.ESTIMATED),
        Metric("gpu__time_duration.sum", result.latency_us, "us", Provenance.ESTIMATED),
        Metric("launch__registers_per_thread", registers, "register/thread", Provenance.COUNTED),
        Metric(
            "sm__maximum_warps_per_active_cycle_pct", 100 * shape.occupancy.fraction, "%", Provenance.COUNTED
        ),
        Metric("launch__occupancy_limit_blocks", shape.occupancy.blocks, "block", Provenance.COUNTED),
    ]
    return tuple(found)


def _memory(counter: Counter) -> list[tuple[str, float, str]]:
    sites = list(counter.sites.values())
    named = {"ld": _LOAD, "st": _STORE, "red": _ATOMIC}
    found: list[tuple[str, float, str]] = []
    for short, kinds in named.items():
        requests = total(sites, "requests", "global", kinds)
        sectors = total(sites, "sectors", "global", kinds)
        found.append((f"l1tex__t_requests_pipe_lsu_mem_global_op_{short}.sum", requests, "request"))
        found.append((f"l1tex__t_sectors_pipe_lsu_mem_global_op_{short}.sum", sectors, "sector"))
    wavefronts = total(sites, "sectors", "shared", _ANY)
    conflicts = wavefronts - total(sites, "ideal", "shared", _ANY)
    found.append(("l1tex__data_pipe_lsu_wavefronts_mem_shared.sum", wavefronts, "wavefront"))
    found.append(("l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum", conflicts, "conflict"))
    return found


def _ratios(counter: Counter) -> list[tuple[str, float, str]]:
    sites = list(counter.sites.values())
    found: list[tuple[str, float, str]] = []
    for short, kinds in {"ld": _LOAD, "st": _STORE}.items():
        requests = total(sites, "requests", "global", kinds)
        if requests:
            ratio = total(sites, "sectors", "global", kinds) / requests
            name = f"l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_{short}.ratio"
            found.append((name, ratio, "sector/request"))
    warps = sum(count.warps * len(count.block.instructions) for count in counter.blocks.values())
    lanes = sum(count.lanes * len(count.block.instructions) for count in counter.blocks.values())
    if warps:
        found.append(("smsp__thread_inst_executed_per_inst_executed.ratio", lanes / warps, "thread/inst"))
    return found
