"""Local memory: a private stack frame a thread, words first and lanes last."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine import Access, Machine
from sandbox.simulator.ptx.types import U8, Dtype
from sandbox.simulator.spaces import checked_shared, select

LIMIT = 1 << 14
"""Local memory a thread may use, bytes."""


def _frame(machine: Machine) -> Array:
    """The bytes of every lane's stack, shape (bytes, rows, columns, blocks); grows when a call needs more."""
    size = max(machine.local_bytes, 1)
    stack = machine.local
    if stack is None:
        stack = machine.local = np.zeros((size, *machine.shape), dtype=U8)
    elif len(stack) < size:
        more = np.zeros((size - len(stack), *machine.shape), dtype=U8)
        stack = machine.local = np.concatenate([stack, more])
    return stack


def load_local(machine: Machine, access: Access, dtype: Dtype, count: int) -> list[Array]:
    """Read `count` consecutive elements of local memory in every lane."""
    access = checked_shared(machine, access, machine.local_bytes, "local memory")
    frame = _frame(machine)
    rows, columns, blocks = np.ogrid[tuple(slice(0, n) for n in machine.shape)]
    values: list[Array] = []
    for k in range(count):
        start = access.offsets + k * dtype.itemsize
        parts = [frame[start + byte, rows, columns, blocks] for byte in range(dtype.itemsize)]
        stacked = np.ascontiguousarray(np.stack(parts, axis=-1))
        values.append(stacked.view(dtype)[..., 0])
    return values


def store_local(machine: Machine, access: Access, values: list[Array]) -> None:
    """Write consecutive elements of local memory in the lanes that take part."""
    access = checked_shared(machine, access, machine.local_bytes, "local memory")
    frame = _frame(machine)
    rows, columns, blocks = np.ogrid[tuple(slice(0, n) for n in machine.shape)]
    everywhere = np.ones((1, 1, 1), dtype=np.bool_) if access.mask is None else access.mask
    for k, value in enumerate(values):
        size = value.dtype.itemsize
        element = np.ascontiguousarray(np.broadcast_to(value, machine.shape))
        data = element.view(U8).reshape(*machine.shape, size)
        for byte in range(size):
            where = select(
                everywhere, access.offsets + k * size + byte, rows, columns, blocks, data[..., byte]
            )
            frame[where[:4]] = where[4]
