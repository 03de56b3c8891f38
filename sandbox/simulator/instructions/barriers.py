"""Fences, and arriving at barriers; waiting is the scheduler's (PTX ISA 9.0, sections 9.7.13.1 to 9.7.13.4)."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.instructions.catalogue import Modifiers, Slots, refuse, step
from sandbox.simulator.machine.arrivals import CLUSTER
from sandbox.simulator.machine.lanes import count_threads
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import TYPES, U32


@step("bar", "9.7.13.1, 9.7.13.2", "sync and red with a number and a thread count, arrive; warp.sync")
@step("barrier", "9.7.13.1, 9.7.13.3", "sync, red, arrive; cluster.arrive and cluster.wait")
def arrive(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Count the active threads as arrived."""
    if "arrive" not in m:
        raise refuse(i.mnemonic)
    if "cluster" in m:
        return _arrive_relaxed if "relaxed" in m else _arrive_at_cluster
    number = slots.source(i.operands[0], TYPES["u32"])

    def run(machine: Machine) -> None:
        arrivals = machine.arrivals.numbered_of(machine.blocks)
        where = machine.registers[number].view(U32)
        active = np.broadcast_to(machine.active, machine.shape)
        for n in np.unique(np.broadcast_to(where, machine.shape)[active]).tolist():
            lanes = active & (where == n)
            arrivals[n] += count_threads(machine.batch.geometry, machine.live, lanes)
            for observer in machine.observers:
                observer.arrive(machine, ("bar", n), lanes, None)

    return run


def _arrive_at_cluster(machine: Machine) -> None:
    machine.arrivals.cluster = machine.arrivals.cluster + machine.active
    for observer in machine.observers:
        observer.arrive(machine, ("bar", CLUSTER), machine.mask, None)


def _arrive_relaxed(machine: Machine) -> None:
    """An arrival that releases nothing."""
    machine.arrivals.cluster = machine.arrivals.cluster + machine.active


@step("membar", "9.7.13.4")
@step("fence", "9.7.13.4")
def fence(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Stores are visible at once here; hazard checks want to know that the fence is there.

    Fences between proxies, and of `mbarrier.init`, order nothing that threads do with generic addresses.
    """
    if any(part.startswith("proxy") for part in m.parts):
        return _between_proxies if "async" in m and "global" not in m else _nothing
    if "mbarrier_init" in m:
        return _nothing

    def run(machine: Machine) -> None:
        for observer in machine.observers:
            observer.fence(machine, i)

    return run


def _between_proxies(machine: Machine) -> None:
    """`fence.proxy.async` of shared memory, or of all."""
    for observer in machine.observers:
        observer.proxy_fence(machine)


def _nothing(machine: Machine) -> None:
    """It orders what nothing here tells apart."""
