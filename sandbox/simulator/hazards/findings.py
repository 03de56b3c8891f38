"""How races in shared memory are told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.device import Fault
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict

_VERBS = {
    "load": "read",
    "store": "written",
    "atomic": "changed atomically",
    "copy": "copied to asynchronously",
}


@dataclass(frozen=True)
class Deed:
    """One side of a race: what was done, by which agent (a thread, or T plus one for its copies), and when."""

    instruction: Instruction
    kind: str
    agent: int
    time: int

    @property
    def text(self) -> str:
        """For example `written at line 7`."""
        kind = "copy" if self.instruction.opcode == "cp" else self.kind
        return f"{_VERBS[kind]} at line {self.instruction.line}"


@dataclass(frozen=True)
class RaceSite:
    """Where a race was found: the lane of the access, the group, and why nothing orders it where that is known."""

    lane: int
    group: int
    reason: str = ""


def race(
    machine: Machine,
    byte: int,
    before: Deed,
    now: Deed,
    where: tuple[int, int],
    reason: str = "",
    memory: str = "shared memory",
) -> Fault:
    """The fault of two accesses that nothing orders; `where` are the block of the batch and the second thread."""
    geometry = machine.batch.geometry
    block, thread = where
    lanes = np.zeros((geometry.threads, machine.blocks), dtype=np.bool_)
    lanes[thread, block] = True
    threads = {before.agent % geometry.threads, thread}
    if not reason and len({t // 32 for t in threads}) == 1 and len(threads) > 1:
        reason = "lanes of one warp without __syncwarp"
    deeds = ", ".join(dict.fromkeys((before.text, now.text)))
    what = f"race on byte {byte} of {memory}: {deeds}, {reason or 'threads without a barrier between'}"
    culprit = (
        before if before.kind == "store" and now.kind != "store" and not reason.startswith("a copy") else now
    )
    return machine.batch.fault(
        Verdict.RACE,
        what,
        culprit.instruction,
        lanes.reshape(geometry.rows, geometry.columns, machine.blocks),
    )


def note(notes: dict[str, None], lines: set[int | None]) -> None:
    """Keep that several threads store one value, which harms nobody."""
    numbers = sorted(line or 0 for line in lines)
    where = ("line " if len(numbers) == 1 else "lines ") + ", ".join(map(str, numbers))
    notes[f"several threads write the same value to shared memory at {where}: benign"] = None
