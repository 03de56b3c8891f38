"""Arriving at a barrier without waiting (PTX ISA 9.0, sections 9.7.13.1 and 9.7.13.4); waiting is the scheduler's."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.barriers import NUMBERS, count_threads
from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.machine import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import TYPES, U32


@step("bar", "9.7.13.1", "sync and red with a number and a thread count, arrive; bar.warp.sync is 9.7.13.2")
@step("barrier", "9.7.13.1", "sync, red, arrive; barrier.cluster.arrive and .wait are 9.7.13.4")
def arrive(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Count the active threads as arrived."""
    if "arrive" not in m:
        raise refuse(i.mnemonic)
    if "cluster" in m:
        return _arrive_at_cluster
    number = slots.source(i.operands[0], TYPES["u32"])

    def run(machine: Machine) -> None:
        shape = (NUMBERS, 1, 1, machine.blocks)
        arrivals: Array = machine.extra.setdefault("barrier arrivals", np.zeros(shape, np.int64))
        where = machine.registers[number].view(U32)
        for n in range(NUMBERS):
            arrivals[n] += count_threads(machine, machine.active & (where == n))

    return run


def _arrive_at_cluster(machine: Machine) -> None:
    arrivals: Array = machine.extra.setdefault("cluster arrivals", np.zeros(machine.shape, np.int64))
    machine.extra["cluster arrivals"] = arrivals + machine.active
