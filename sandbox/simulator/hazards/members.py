"""Whether the lanes that execute a warp-wide instruction are those that their member masks name.

The CUDA C++ Programming Guide ("Warp Vote Functions", "Warp Shuffle Functions"): every thread must be in its own
mask, and all threads in it that have not exited must execute the instruction with the same mask.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import WARP, by_warp, from_warps
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import U32
from sandbox.verdict import Verdict

_FULL = 0xFFFFFFFF
_LANE = np.arange(WARP, dtype=U32).reshape(1, WARP, 1)


def check_members(machine: Machine, instruction: Instruction, members: Array) -> None:
    """Check the active lanes' masks.

    Args:
        machine: Its active lanes execute the instruction.
        instruction: Warp-wide, about to run.
        members: Each lane's member mask, uint32, lane-shaped.

    Raises:
        FaultError: BARRIER_DIVERGENCE, which names the first lane at fault.
    """
    if (members == _FULL).all():
        return
    geometry = machine.batch.geometry
    masks = by_warp(members, geometry)
    active = by_warp(machine.active, geometry, fill=False)
    outside = active & (masks >> _LANE & U32.type(1) == 0)
    if outside.any():
        what = (
            f"{instruction.mnemonic} by a lane that its member mask {_first(masks, outside):#010x} leaves out"
        )
        _stop(machine, instruction, outside, what)
    if members.size == 1 or _one_a_warp(masks, active):
        return
    first, other = masks[:, :, None, :], masks[:, None, :, :]
    named = (first >> _LANE.reshape(1, 1, WARP, 1) & U32.type(1)).astype(np.bool_)
    differ = (named & active[:, None, :, :] & active[:, :, None, :] & (first != other)).any(axis=2)
    if differ.any():
        mask = f"{_first(masks, differ):#010x}"
        what = f"{instruction.mnemonic} with mask {mask}, while a lane that it names has another mask"
        _stop(machine, instruction, differ, what)


def _one_a_warp(masks: Array, active: Array) -> bool:
    """Whether no two active lanes of a warp have different masks; most warps are so, and this is soon told."""
    least = np.where(active, masks, U32.type(_FULL)).min(axis=1)
    most = np.where(active, masks, U32.type(0)).max(axis=1)
    return bool((most <= least).all())


def _first(masks: Array, lanes: Array) -> int:
    shape = np.broadcast_shapes(masks.shape, lanes.shape)
    return int(np.broadcast_to(masks, shape)[np.broadcast_to(lanes, shape)][0])


def _stop(machine: Machine, instruction: Instruction, lanes: Array, what: str) -> None:
    geometry = machine.batch.geometry
    spread = from_warps(np.broadcast_to(lanes, (geometry.warps, WARP, lanes.shape[2])), geometry)
    raise FaultError(machine.batch.fault(Verdict.BARRIER_DIVERGENCE, what, instruction, spread))
