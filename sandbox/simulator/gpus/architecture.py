"""What is known of a GPU: the shape of a table of `architectures`.

The letters name sources, as in `sources`:
    [W] NVIDIA's architecture whitepapers. [D] data sheets. [G] [T] CUDA C++ Programming Guide 13.0, technical
    specifications and arithmetic throughput. [J] arXiv 1903.07486. [A] assumed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorRates:
    """Dense multiply-adds a clock and SM that `mma.sync` reaches, by type of source and of result."""

    f16_f16: int
    f16_f32: int
    tf32_f32: int
    f8_f16: int
    f8_f32: int
    f64: int
    i8: int
    i4: int
    b1: int

    def of(self, kind: str) -> int:
        """The rate of a kind."""
        return {
            "f16_f16": self.f16_f16,
            "f16_f32": self.f16_f32,
            "bf16_f32": self.f16_f32,
            "tf32_f32": self.tf32_f32,
            "f8_f16": self.f8_f16,
            "f8_f32": self.f8_f32,
            "f64": self.f64,
            "i8": self.i8,
            "i4": self.i4,
            "b1": self.b1,
        }[kind]


@dataclass(frozen=True)
class Architecture:
    """One GPU.

    Attributes:
        compute: What to compile for.
        multiprocessors: Streaming multiprocessors [W].
        clock_mhz: Boost clock, MHz [W] [D].
        dram_gbps: Peak DRAM bandwidth, 10^9 bytes a second [D].
        l2_bytes: L2 cache, bytes [W].
        l2_bytes_per_clock: L2 to SM bandwidth of the whole chip, bytes a clock.
        fp32_lanes, int_lanes, fp64_lanes, fp16_lanes, xu_lanes: Results a clock and SM [T]. `int_lanes` is
            that of addition and logic; integer multiplication shares the FMA pipe and is counted there.
        tensor: Dense multiply-adds of the tensor cores a clock and SM [W], as `mma.sync` reaches them.
        l1_bytes: L1 cache and shared memory together, bytes an SM [G].
        shared_per_sm, shared_per_block: Shared memory limits, bytes [G].
        shared_bytes_per_clock: Bytes that shared memory moves a clock and SM: a bank's four, for each of 32 banks,
            or of the 16 load/store units of Turing [J].
        lsu_lanes: Addresses that the load/store units take a clock and SM [W].
        shared_reserved, shared_unit: Bytes the system takes of each block's shared memory, and the
            granularity of its allocation (CUDA occupancy calculator, "Shared Memory allocation unit size").
        registers_per_sm: 32-bit registers [G].
        threads_per_sm, blocks_per_sm: Residency limits [G].
        l1_latency, l2_latency, dram_latency, shared_latency: Load latency, clocks.
        launch_us: Least time of an empty launch, microseconds [A]: what back-to-back launches of an empty
            kernel cost on current drivers, about two; the same for all, so it ranks nothing.
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
    fp64_lanes: int
    fp16_lanes: int
    xu_lanes: int
    tensor: TensorRates
    l1_bytes: int
    shared_per_sm: int
    shared_per_block: int
    l1_latency: float
    l2_latency: float
    dram_latency: float
    shared_latency: float
    shared_bytes_per_clock: int = 128
    lsu_lanes: int = 32
    shared_reserved: int = 1024
    shared_unit: int = 128
    registers_per_sm: int = 65536
    threads_per_sm: int = 2048
    blocks_per_sm: int = 32
    launch_us: float = 2.0
