"""How many blocks fit a multiprocessor, and what limits them.

Source: CUDA C++ Programming Guide 13.0, "Hardware Multithreading", and the allocation granularities of NVIDIA's
occupancy calculator: registers in units of 256 a warp, shared memory in units of 128 bytes plus 1 KiB reserved a
block since compute capability 8.0.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.simulator.architectures import Architecture
from sandbox.simulator.lanes import WARP

_REGISTER_UNIT = 256
_SHARED_UNIT = 128
_SHARED_RESERVED = 1024


@dataclass(frozen=True)
class Occupancy:
    """Residency of one kernel.

    Attributes:
        blocks: Blocks on one multiprocessor at a time.
        warps: Warps on one multiprocessor at a time.
        fraction: Of the warps that would fit, 0 to 1.
        limiter: registers, shared_memory, warps or blocks.
    """

    blocks: int
    warps: int
    fraction: float
    limiter: str


def occupancy(architecture: Architecture, threads: int, registers: int, shared_bytes: int) -> Occupancy:
    """Theoretical occupancy.

    Args:
        architecture: The GPU.
        threads: Of a block.
        registers: Of a thread.
        shared_bytes: Of a block, static and dynamic.
    """
    warps = -(-threads // WARP)
    per_warp = -(-max(registers, 1) * WARP // _REGISTER_UNIT) * _REGISTER_UNIT
    shared = -(-(shared_bytes + _SHARED_RESERVED) // _SHARED_UNIT) * _SHARED_UNIT
    limits = {
        "warps": architecture.threads_per_sm // WARP // warps,
        "blocks": architecture.blocks_per_sm,
        "registers": architecture.registers_per_sm // (per_warp * warps),
        "shared_memory": architecture.shared_per_sm // shared,
    }
    limiter = min(limits, key=limits.__getitem__)
    blocks = max(limits[limiter], 1)
    return Occupancy(blocks, blocks * warps, blocks * warps * WARP / architecture.threads_per_sm, limiter)
