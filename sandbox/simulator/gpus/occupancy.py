"""How many blocks fit a multiprocessor, and what limits them.

Source: CUDA C++ Programming Guide 13.0, "Hardware Multithreading", and the allocation granularities of
NVIDIA's occupancy calculator: registers in units of 256 a warp; shared memory in units of 128 bytes plus 1
KiB reserved a block since compute capability 8.0, in units of 256 bytes and nothing reserved on 7.5. Each of
the four register files of an SM serves a quarter of its warps, so the warps that registers allow are a
multiple of four.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.machine.lanes import WARP

_REGISTER_UNIT = 256
_REGISTER_FILES = 4


@dataclass(frozen=True)
class Occupancy:
    """Residency of one kernel.

    Attributes:
        blocks: Blocks on one multiprocessor at a time.
        warps: Warps on one multiprocessor at a time.
        fraction: Of the warps that would fit, 0 to 1.
        limiter: registers, shared_memory, warps or blocks.
        limits: Blocks that each of the four would allow alone.
    """

    blocks: int
    warps: int
    fraction: float
    limiter: str
    limits: Mapping[str, int] = field(default_factory=dict[str, int])


def occupancy(architecture: Architecture, threads: int, registers: int, shared_bytes: int) -> Occupancy:
    """Theoretical occupancy.

    Args:
        architecture: Its limits.
        threads: Of a block.
        registers: Of a thread.
        shared_bytes: Of a block, static and dynamic.
    """
    warps = -(-threads // WARP)
    most = architecture.threads_per_sm // WARP
    limits = {
        "warps": most // warps,
        "blocks": architecture.blocks_per_sm,
        "registers": _warps_by_registers(architecture, registers) // warps,
        "shared_memory": _blocks_by_shared_memory(architecture, shared_bytes),
    }
    limiter = min(limits, key=limits.__getitem__)
    blocks = max(limits[limiter], 1)
    return Occupancy(blocks, blocks * warps, min(1.0, blocks * warps / most), limiter, limits)


def _warps_by_registers(architecture: Architecture, registers: int) -> int:
    per_warp = -(-max(registers, 1) * WARP // _REGISTER_UNIT) * _REGISTER_UNIT
    return architecture.registers_per_sm // _REGISTER_FILES // per_warp * _REGISTER_FILES


def _blocks_by_shared_memory(architecture: Architecture, shared_bytes: int) -> int:
    """A block that uses none, where none is reserved, is not limited by it."""
    unit = architecture.shared_unit
    taken = -(-(shared_bytes + architecture.shared_reserved) // unit) * unit
    return architecture.shared_per_sm // taken if taken else architecture.blocks_per_sm
