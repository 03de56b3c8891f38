"""What racing stores write, and what memory held before: a race of equal values harms nobody."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.touches import Touch
from sandbox.simulator.machine.state import Machine


def stored(machine: Machine, touch: Touch) -> Array | None:
    """What lanes (with blocks) store, as unsigned integers; None where unknown."""
    values = touch.access.values
    if touch.kind != "store" or not values:
        return None
    size = int(values[0].dtype.itemsize)
    value: Array = values[min(touch.offset // size, len(values) - 1)]
    full = np.ascontiguousarray(np.broadcast_to(value, machine.shape)).reshape(-1, machine.blocks)
    return full.view(f"uint{size * 8}")[touch.thread, touch.block]


def held(machine: Machine, touch: Touch) -> Array:
    """What shared memory holds where lanes (with blocks) are about to store, as unsigned integers."""
    size = int(touch.access.values[0].dtype.itemsize)
    assert touch.block is not None
    offsets = np.broadcast_to(touch.access.offsets, machine.shape).reshape(-1, machine.blocks)
    base = offsets[touch.thread, touch.block] + touch.offset // size * size
    byte = base[:, None] + np.arange(size)
    data = machine.shared.bytes[byte >> 2, touch.block[:, None], byte & 3]
    return np.ascontiguousarray(data).view(f"uint{size * 8}")[:, 0]
