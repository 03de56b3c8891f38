"""Which limit of the hardware a launch ran into, from Nsight Compute's shares of the peak."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.device import Bottleneck

LATENCY_BELOW = 60.0
"""Percent of the peak of the busiest unit, below which latency is to blame (Nsight Compute's rule SOLBottleneck)."""

SHARES: dict[str, Bottleneck] = {
    "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed": Bottleneck.DRAM,
    "lts__t_sectors.avg.pct_of_peak_sustained_elapsed": Bottleneck.L2,
    "l1tex__throughput.avg.pct_of_peak_sustained_elapsed": Bottleneck.L1,
    "l1tex__data_pipe_lsu_wavefronts_mem_shared.avg.pct_of_peak_sustained_elapsed": Bottleneck.SHARED_MEMORY,
    "sm__inst_executed_pipe_fma.avg.pct_of_peak_sustained_elapsed": Bottleneck.FMA,
    "sm__inst_executed_pipe_alu.avg.pct_of_peak_sustained_elapsed": Bottleneck.ALU,
    "sm__inst_executed_pipe_fp64.avg.pct_of_peak_sustained_elapsed": Bottleneck.FP64,
    "sm__inst_executed_pipe_fp16.avg.pct_of_peak_sustained_elapsed": Bottleneck.FP16,
    "sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_elapsed": Bottleneck.XU,
    "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed": Bottleneck.TENSOR,
    "sm__inst_issued.avg.pct_of_peak_sustained_elapsed": Bottleneck.ISSUE,
    "lts__d_atomic_input_cycles_active.avg.pct_of_peak_sustained_elapsed": Bottleneck.ATOMICS,
}
"""Metrics, and the limit that each is about."""

MEASURES: tuple[str, ...] = tuple(SHARES)


def bottleneck(shares: Mapping[str, float]) -> Bottleneck:
    """Return the busiest unit, LATENCY where none is busy, and UNKNOWN where nothing is known.

    Args:
        shares: By metric name, percent of the peak.
    """
    known = {SHARES[name]: value for name, value in shares.items() if name in SHARES}
    if not known:
        return Bottleneck.UNKNOWN
    busiest = max(known, key=known.__getitem__)
    if busiest is Bottleneck.L1 and known.get(Bottleneck.SHARED_MEMORY, -1.0) >= 0.9 * known[busiest]:
        busiest = Bottleneck.SHARED_MEMORY  # its wavefronts are the L1's work
    return busiest if known[busiest] >= LATENCY_BELOW else Bottleneck.LATENCY


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
