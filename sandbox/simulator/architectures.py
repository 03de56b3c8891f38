"""What the cost model knows of each GPU. Every number names its source.

Sources: [W] NVIDIA architecture whitepaper of that GPU; [D] NVIDIA datasheet; [G] CUDA C++ Programming Guide 13.0,
chapter "Compute Capabilities"; [T] CUDA C++ Programming Guide, table of arithmetic throughput.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """One GPU.

    Attributes:
        compute: What to compile for.
        multiprocessors: Streaming multiprocessors.
        clock_mhz: Boost clock, MHz.
        dram_gbps: Peak DRAM bandwidth, 10^9 bytes a second.
        l2_bytes: L2 cache, bytes.
        l2_bytes_per_clock: L2 to SM bandwidth of the whole chip, bytes a clock.
        fp32_lanes, int_lanes, fp64_lanes, fp16_lanes, xu_lanes: Results a clock and SM [T].
        shared_per_sm, shared_per_block: Shared memory limits, bytes [G].
        registers_per_sm: 32-bit registers [G].
        threads_per_sm, blocks_per_sm: Residency limits [G].
        l1_latency, l2_latency, dram_latency: Load latency, clocks.
        launch_us: Least time of an empty launch, microseconds.
    """

    name: str
    compute: str
    multiprocessors: int
    clock_mhz: int
    dram_gbps: float
    l2_bytes: int
    l2_bytes_per_clock: int
    fp32_lanes: int
    int_lanes: int
    fp64_lanes: float
    fp16_lanes: int
    xu_lanes: int
    shared_per_sm: int
    shared_per_block: int
    registers_per_sm: int = 65536
    threads_per_sm: int = 2048
    blocks_per_sm: int = 32
    l1_latency: int = 33
    l2_latency: int = 260
    dram_latency: int = 600
    launch_us: float = 2.0


KIB, MIB = 1024, 1024 * 1024

# H200: [D] 4.8 TB/s HBM3e, 132 SMs; 1,980 MHz maximum boost; [W] H100: 50 MB L2, 228 KB shared an SM,
# 128 FP32 and 64 FP64 lanes an SM. Latencies: Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU
# Architecture via Microbenchmarking" (arXiv 2402.13499), rounded. L2 bandwidth: same paper, 5.5 to 7 TB/s at boost.
_H200 = Architecture(
    name="h200",
    compute="sm_90",
    multiprocessors=132,
    clock_mhz=1980,
    dram_gbps=4800.0,
    l2_bytes=50 * MIB,
    l2_bytes_per_clock=2816,
    fp32_lanes=128,
    int_lanes=64,
    fp64_lanes=64,
    fp16_lanes=256,
    xu_lanes=16,
    shared_per_sm=228 * KIB,
    shared_per_block=227 * KIB,
)

ARCHITECTURES: dict[str, Architecture] = {architecture.name: architecture for architecture in (_H200,)}
