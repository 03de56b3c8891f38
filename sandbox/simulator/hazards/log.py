"""Accesses to shared memory between two barriers, kept as they come and judged together.

Judging a whole interval at once costs a few array operations a barrier instead of a few an access.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import EVERYONE, WARP, common_shape, some, spread
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.kinds import WHOLE_WARP
from sandbox.simulator.ptx.syntax import Instruction


@dataclass(frozen=True)
class LoggedAccess:
    """One access, flattened: lanes with the same address and neighbouring axes are one element.

    Attributes:
        unit: Unit of memory touched (offset over granularity), times blocks plus block where `blocks` > 1.
        low, high: Smallest and largest linear thread index behind each element.
        value: What each element stores, shape (elements,) or (elements, blocks), None where unknown; wanted so
            seldom that it is only computed then.
    """

    instruction: Instruction
    kind: str
    unit: Array
    low: Array
    high: Array
    value: Callable[[], Array | None]


def entries(machine: Machine, access: MemoryAccess, granularity: int, per_block: bool) -> list[LoggedAccess]:
    """Flatten an access into units; a wide access becomes one entry for each unit it spans."""
    mask = EVERYONE if access.mask is None else access.mask
    shape = common_shape(access.offsets, mask)
    if per_block:
        shape = (shape[0], shape[1], machine.blocks)
    if access.kind == "store" and access.values:
        # Threads that store different values at one address must not become one element.
        rows, columns, _ = access.values[0].shape
        shape = (max(shape[0], rows), max(shape[1], columns), shape[2])
    low, high = thread_range(machine, shape)
    if access.kind == "load" and access.instruction.opcode in WHOLE_WARP:
        # A matrix load gives every lane of the warp a part of what each address holds.
        low, high = low & -WARP, high | (WARP - 1)
    where = None if access.mask is None else spread(mask, shape)
    base = _flat(access.offsets // granularity, shape, where)
    same, low = high is low, _flat(low, shape, where)
    high = low if same else _flat(high, shape, where)
    block = _flat(np.arange(shape[2]), shape, where) if per_block else None
    found: list[LoggedAccess] = []
    for k in range(max(1, access.size // granularity)):
        unit = base + k
        if block is not None:
            unit = unit * machine.blocks + block
        value = partial(_stored, access, k * granularity, shape, where)
        found.append(LoggedAccess(access.instruction, access.kind, unit, low, high, value))
    return found


def _flat(value: Array, shape: tuple[int, ...], where: Array | None) -> Array:
    full = spread(value, shape)
    return full.reshape(-1) if where is None else full[where]


def thread_range(machine: Machine, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Smallest and largest linear thread index behind each element of a lane-shaped array with short axes."""
    geometry = machine.batch.geometry
    return _range(geometry.rows, geometry.columns, shape[0], shape[1])


@lru_cache(maxsize=64)
def _range(rows: int, columns: int, rows_present: int, columns_present: int) -> tuple[Array, Array]:
    row_low, row_high = _axis(rows, rows_present)
    column_low, column_high = _axis(columns, columns_present)
    low = (row_low[:, None] * columns + column_low[None, :])[:, :, None]
    if row_high is row_low and column_high is column_low:
        low.flags.writeable = False
        return low, low
    high = (row_high[:, None] * columns + column_high[None, :])[:, :, None]
    low.flags.writeable = high.flags.writeable = False
    return low, high


def _axis(length: int, present: int) -> tuple[Array, Array]:
    if present == 1 and length > 1:
        return np.zeros(1, dtype=np.int64), np.full(1, length - 1, dtype=np.int64)
    index = np.arange(length, dtype=np.int64)
    return index, index


def _stored(access: MemoryAccess, position: int, shape: tuple[int, ...], where: Array | None) -> Array | None:
    """The element stored at a byte position; with an axis of blocks where only the value has one."""
    if access.kind != "store" or not access.values:
        return None
    size = int(access.values[0].dtype.itemsize)
    value: Array = access.values[min(position // size, len(access.values) - 1)]
    full = spread(value, np.broadcast_shapes(value.shape, shape))
    full = full.view(f"uint{size * 8}").astype(np.uint64)
    if full.shape[2] == shape[2]:
        return _flat(full, shape, where)
    return full.reshape(-1, full.shape[2]) if where is None else full[where[:, :, 0]]


def warps(threads: Array) -> Array:
    """Warp of a linear thread index."""
    return threads // WARP


def joined(log: list[LoggedAccess]) -> tuple[Array, Array, Array]:
    """Units of all entries, and the first and the last agent behind each element."""
    if len(log) == 1:
        return log[0].unit, log[0].low, log[0].high
    unit = np.concatenate([entry.unit for entry in log])
    low = np.concatenate([entry.low for entry in log])
    if all(entry.high is entry.low for entry in log):
        return unit, low, low
    return unit, low, np.concatenate([entry.high for entry in log])


def apart(unit: Array, low: Array, high: Array) -> bool:
    """Whether no unit has two agents, whatever they do: what almost every interval between barriers is like."""
    if high is not low and some(low != high):
        return False
    agent = np.zeros(int(unit.max(initial=0)) + 1, dtype=np.int16)
    agent[unit] = low
    return not some(agent.take(unit) != low)


def conflicting(unit: Array, low: Array, high: Array, kinds: Array) -> Array:
    """Units with conflicting accesses: two agents, and a plain write or an atomic against a plain read.

    Args:
        unit: Unit of each access, int64.
        low: First agent (thread or warp) behind it.
        high: Last agent behind it.
        kinds: 0 load, 1 store, 2 atomic.
    """
    size = int(unit.max(initial=0)) + 1

    def accessed(kind: int) -> Array:
        found = np.zeros(size, dtype=np.bool_)
        found[unit[kinds == kind]] = True
        return found

    keep = (accessed(1) | (accessed(2) & accessed(0)))[unit]
    unit, low, high = unit[keep], low[keep], high[keep]
    if not unit.size:
        return unit
    order = np.argsort(unit, kind="stable")
    unit, low, high = unit[order], low[order], high[order]
    starts = np.flatnonzero(np.concatenate([[True], unit[1:] != unit[:-1]]))
    several = np.minimum.reduceat(low, starts) != np.maximum.reduceat(high, starts)
    return unit[starts[several]]
