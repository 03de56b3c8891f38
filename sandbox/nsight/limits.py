"""Which limit of the hardware a launch ran into, from Nsight Compute's shares of the peak."""

from __future__ import annotations

from collections.abc import Mapping

LATENCY_BELOW = 60.0
"""Percent of the peak of the busiest unit, below which latency is to blame (Nsight Compute's rule SOLBottleneck)."""

SHARES: dict[str, str] = {
    "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed": "dram",
    "lts__t_sectors.avg.pct_of_peak_sustained_elapsed": "l2",
    "l1tex__throughput.avg.pct_of_peak_sustained_elapsed": "l1",
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.avg.pct_of_peak_sustained_elapsed": "shared_memory",
    "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_elapsed": "fma",
    "sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_elapsed": "alu",
    "sm__inst_executed_pipe_fp64.avg.pct_of_peak_sustained_elapsed": "fp64",
    "sm__inst_executed_pipe_fp16.avg.pct_of_peak_sustained_elapsed": "fp16",
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_elapsed": "xu",
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": "tensor",
    "sm__inst_issued.avg.pct_of_peak_sustained_elapsed": "issue",
    "lts__d_atomic_input_cycles_active.avg.pct_of_peak_sustained_elapsed": "atomics",
}
"""Metrics, and the simulator's name of the limit that each is about."""

MEASURES: tuple[str, ...] = tuple(SHARES)


def bottleneck(shares: Mapping[str, float]) -> str:
    """Return the name of the busiest unit, `latency` where none is busy, and "" where nothing is known.

    Args:
        shares: By metric name, percent of the peak.
    """
    known = {SHARES[name]: value for name, value in shares.items() if name in SHARES}
    if not known:
        return ""
    busiest = max(known, key=known.__getitem__)
    if busiest == "l1" and known.get("shared_memory", -1.0) >= 0.9 * known["l1"]:
        busiest = "shared_memory"  # its wavefronts are the L1's work
    return busiest if known[busiest] >= LATENCY_BELOW else "latency"


def roofline_fraction(
    seconds: float, moved_bytes: float, operations: float, copy_gbps: float, fma_gflops: float
) -> float:
    """Return the least possible time over the time taken, 0 to 1.

    Args:
        seconds: Time of the launch.
        moved_bytes: Bytes that have to move through DRAM.
        operations: Floating-point operations, outside tensor cores.
        copy_gbps: Measured bandwidth, read plus written, 1e9 bytes a second.
        fma_gflops: Measured float32 rate, 1e9 operations a second.
    """
    if seconds <= 0:
        return 0.0
    least = max(moved_bytes / (copy_gbps * 1e9), operations / (fma_gflops * 1e9))
    return min(1.0, least / seconds)
