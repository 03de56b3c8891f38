"""Addresses of shared memory in other blocks of a cluster (PTX ISA 9.0, sections 9.7.9.23 and 9.7.9.24)."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.instructions.catalogue import Modifiers, Slots, step
from sandbox.simulator.machine.clusters import RANK_UNIT, rank_of
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Register
from sandbox.simulator.ptx.types import S64, TYPES, U32


def _base(m: Modifiers, machine: Machine) -> int:
    return machine.windows.shared_start if "shared::cluster" in m else machine.windows.shared


@step("mapa", "9.7.9.23")
def mapa(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """The address of the same place in the shared memory of the block with a rank."""
    target, source, rank = i.operands
    assert isinstance(target, Register)
    destination = slots.target(target)
    origin, wanted = slots.source(source, m.type), slots.source(rank, TYPES["u32"])

    def run(machine: Machine) -> None:
        base = _base(m, machine)
        offset = (machine.registers[origin].astype(S64) - base) % RANK_UNIT
        unit = machine.registers[wanted].view(U32).astype(S64) + 1
        if machine.batch.geometry.cluster_size == 1:
            unit = np.where(unit == 1, 0, unit)  # of a block alone the window of the cluster is its own
        machine.write(destination, (offset + unit * RANK_UNIT + base).astype(m.type.dtype))

    return run


@step("getctarank", "9.7.9.24")
def getctarank(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """The rank of the block whose shared memory an address is in."""
    target, source = i.operands
    assert isinstance(target, Register)
    destination, origin = slots.target(target), slots.source(source, m.type)

    def run(machine: Machine) -> None:
        offset = machine.registers[origin].astype(S64) - _base(m, machine)
        machine.write(destination, rank_of(machine, np.maximum(offset, 0)).astype(U32))

    return run
