"""Writes to inputs, found as they happen: what a kernel puts back before it ends no comparison shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.memory import Allocation
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.verdict import Verdict


class InputWrites(Observer):
    """Refuses stores and atomics to buffers that are inputs only.

    Args:
        widths: Bytes of an element of each input, by name.
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        self._widths = widths

    def global_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Judge one access.

        Raises:
            FaultError: INPUT_MODIFIED.
        """
        if access.kind == "load":
            return
        for allocation in machine.arena.touched(access.offsets):
            if allocation.name in self._widths:
                self._refuse(machine, access, allocation)

    def _refuse(self, machine: Machine, access: MemoryAccess, allocation: Allocation) -> None:
        offsets = machine.arena.offsets(access.offsets)
        inside = (offsets >= allocation.start) & (offsets < allocation.end)
        lanes = inside if access.mask is None else inside & access.mask
        if not lanes.any():
            return
        offset = int(np.broadcast_to(offsets, lanes.shape)[lanes][0]) - allocation.start
        element = offset // self._widths[allocation.name]
        verb = "made an atomic operation on" if access.kind == "atomic" else "wrote to"
        what = f"the kernel {verb} its input {allocation.name}, at element {element} of {allocation.label}"
        fault = machine.batch.fault(Verdict.INPUT_MODIFIED, what, access.instruction, lanes)
        raise FaultError(replace(fault, buffer=allocation.name, offset=offset))
