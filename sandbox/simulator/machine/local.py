"""Local memory: a private stack frame a thread, words first and lanes last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.spaces import checked_shared, select
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.types import U8, Dtype
from sandbox.verdict import Verdict

LIMIT = 1 << 14
"""Local memory a thread may use, bytes."""
_ABSURD = 0x7F
"""What every byte holds that nothing wrote: huge as a float and as an integer."""


def _frame(machine: Machine) -> Array:
    """The bytes of every lane's stack, shape (bytes, rows, columns, blocks); grows when a call needs more."""
    size = max(machine.local_bytes, 1)
    stack = machine.local
    if stack is None:
        stack = machine.local = np.full((size, *machine.shape), _ABSURD, dtype=U8)
    elif len(stack) < size:
        more = np.full((size - len(stack), *machine.shape), _ABSURD, dtype=U8)
        stack = machine.local = np.concatenate([stack, more])
    return stack


def _written(machine: Machine) -> Array:
    """Which bytes of the stack something wrote, of the frame's shape."""
    known = machine.local_written
    size = len(_frame(machine))
    if known is None or len(known) < size:
        written = np.zeros((size, *machine.shape), dtype=np.bool_)
        if known is not None:
            written[: len(known)] = known
        machine.local_written = known = written
    return known


def _check_written(machine: Machine, access: MemoryAccess, size: int, count: int) -> None:
    """Elements that are partly written may be copies of padded structures; those of which nothing is are no data."""
    lanes = tuple(np.ogrid[tuple(slice(0, n) for n in machine.shape)])
    written = _written(machine)
    for k in range(count):
        start = access.offsets + k * size
        known = np.logical_or.reduce([written[(start + byte, *lanes)] for byte in range(size)])
        lost = ~known & machine.active if access.mask is None else ~known & access.mask
        if lost.any():
            index, *_ = machine.batch.first(lost)
            offset = int(np.broadcast_to(start, machine.shape)[index])
            what = f"read of byte {offset} of local memory, which nothing wrote"
            fault = machine.batch.fault(Verdict.UNINITIALIZED, what, access.instruction, lost)
            raise FaultError(replace(fault, buffer="local memory", offset=offset))


def load_local(machine: Machine, access: MemoryAccess, dtype: Dtype, count: int) -> list[Array]:
    """Read `count` consecutive elements of local memory in every lane."""
    access = checked_shared(machine, access, machine.local_bytes, "local memory")
    frame = _frame(machine)
    if machine.observers:
        _check_written(machine, access, dtype.itemsize, count)
    rows, columns, blocks = np.ogrid[tuple(slice(0, n) for n in machine.shape)]
    values: list[Array] = []
    for k in range(count):
        start = access.offsets + k * dtype.itemsize
        parts = [frame[start + byte, rows, columns, blocks] for byte in range(dtype.itemsize)]
        stacked = np.ascontiguousarray(np.stack(parts, axis=-1))
        values.append(stacked.view(dtype)[..., 0])
    return values


def store_local(machine: Machine, access: MemoryAccess, values: list[Array]) -> None:
    """Write consecutive elements of local memory in the lanes that take part."""
    access = checked_shared(machine, access, machine.local_bytes, "local memory")
    frame, written = _frame(machine), _written(machine)
    rows, columns, blocks = np.ogrid[tuple(slice(0, n) for n in machine.shape)]
    everywhere = EVERYONE if access.mask is None else access.mask
    for k, value in enumerate(values):
        size = value.dtype.itemsize
        element = np.ascontiguousarray(np.broadcast_to(value, machine.shape))
        data = element.view(U8).reshape(*machine.shape, size)
        for byte in range(size):
            where = select(
                everywhere, access.offsets + k * size + byte, rows, columns, blocks, data[..., byte]
            )
            frame[where[:4]] = where[4]
            written[where[:4]] = True
