"""Instructions that change time, never results (PTX ISA 9.0, sections 9.7.9.15 to 9.7.9.18 and 9.7.19)."""

from __future__ import annotations

import numpy as np

from sandbox.simulator.instructions.catalogue import Modifiers, Slots, step
from sandbox.simulator.machine.state import Machine, Step
from sandbox.simulator.ptx.syntax import Instruction, Register
from sandbox.simulator.ptx.types import TYPES, U32, U64


def _nothing(machine: Machine) -> None:
    """No effect on results: time does not pass here."""


@step("prefetch", "9.7.9.15")
@step("prefetchu", "9.7.9.15")
@step("applypriority", "9.7.9.16")
@step("pmevent", "9.7.19.3")
@step("setmaxnreg", "9.7.19.5")
@step("griddepcontrol", "9.7.13.13")
def hint(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Hints change time, never results."""
    return _nothing


@step("nanosleep", "9.7.19.2")
def nanosleep(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """Sleep changes time, which observers may count."""
    duration = slots.source(i.operands[0], TYPES["u32"])

    def run(machine: Machine) -> None:
        for observer in machine.observers:
            observer.sleep(machine, i, machine.registers[duration].view(U32))

    return run


@step("createpolicy", "9.7.9.18")
def createpolicy(i: Instruction, m: Modifiers, slots: Slots) -> Step:
    """A cache policy is an opaque value."""
    target = i.operands[0]
    assert isinstance(target, Register)
    destination = slots.target(target)

    def run(machine: Machine) -> None:
        machine.write(destination, np.zeros((1, 1, 1), dtype=U64))

    return run
