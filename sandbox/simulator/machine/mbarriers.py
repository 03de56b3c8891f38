"""mbarrier objects (PTX ISA 9.0, section 9.7.13.15), kept in the shared memory that the kernel gives them.

The 64 bits are opaque to kernels. Here: 20 bits of pending arrivals, 20 bits of expected ones, 21 bits of pending
transactions (biased), the parity of the phase, and a mark that tells an mbarrier from anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.device import Array, Fault
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.state import Machine
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.simulator.ptx.types import U32, U64
from sandbox.verdict import Verdict

COUNT_BITS = 20
MAX_COUNT = (1 << COUNT_BITS) - 1
_TRANSACTIONS = 2 * COUNT_BITS
_BIAS = 1 << 20
_PHASE = 61
_MARK, _MARK_VALUE = 62, 2
PATIENCE = 1000
"""Failed waits of every thread without any arrival after which nobody is expected to arrive."""


@dataclass
class State:
    """One mbarrier in every block; int64 arrays of shape (B,)."""

    pending: Array
    expected: Array
    transactions: Array
    phase: Array

    def word(self) -> Array:
        """The 64 bits."""
        value = self.pending | self.expected << COUNT_BITS | (self.transactions + _BIAS) << _TRANSACTIONS
        return value.astype(U64) | self.phase.astype(U64) << U64.type(_PHASE) | U64.type(_MARK_VALUE << _MARK)


def initial(count: Array) -> State:
    """A fresh mbarrier that expects `count` arrivals a phase."""
    nothing = np.zeros_like(count)
    return State(count, count, nothing, nothing)


def phase_of(word: Array) -> Array:
    """Parity of the phase in a state, int64 0 or 1."""
    return (word >> U64.type(_PHASE)).astype(np.int64) & 1


def pending_of(word: Array) -> Array:
    """Pending arrivals in a state."""
    return word & U64.type(MAX_COUNT)


def read(machine: Machine, offset: int, lanes: Array, instruction: Instruction) -> State:
    """The mbarriers at a byte offset.

    Args:
        machine: Of the batch.
        offset: Into shared memory, a checked multiple of 8.
        lanes: Who asks, lane-shaped.
        instruction: For faults.

    Raises:
        FaultError: There is none in the block of some lane.
    """
    row = offset >> 2
    word = machine.shared.words[row].astype(U64) | machine.shared.words[row + 1].astype(U64) << U64.type(32)
    wrong = (word >> U64.type(_MARK)) != _MARK_VALUE
    if (wrong & lanes).any():
        what = f"no mbarrier at byte {offset} of shared memory: not initialised, invalidated or overwritten"
        raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, instruction, lanes & wrong))
    signed = word.astype(np.int64)
    return State(
        signed & MAX_COUNT,
        signed >> COUNT_BITS & MAX_COUNT,
        (signed >> _TRANSACTIONS & (2 * _BIAS - 1)) - _BIAS,
        phase_of(word),
    )


def write(machine: Machine, offset: int, word: Array, blocks: Array) -> None:
    """Set the 64 bits in the blocks of a mask of shape (B,)."""
    row = offset >> 2
    words = machine.shared.words
    words[row] = np.where(blocks, word.astype(U32), words[row])
    words[row + 1] = np.where(blocks, (word >> U64.type(32)).astype(U32), words[row + 1])


def arrive(state: State, total: Array) -> Array:
    """Count arrivals, shape (B,); where a phase ends the next begins. How many phases ended, shape (B,)."""
    left = state.pending - total
    ends = (left <= 0) & (state.transactions == 0)
    more = np.maximum(state.expected, 1)
    ended = np.where(ends, 1 + -left // more, 0)
    state.pending = np.where(ends, more - -left % more, left)
    state.phase = (state.phase + ended) & 1
    return ended


def stall(machine: Machine, failed: Array) -> None:
    """Lanes have waited in vain once more."""
    before = np.zeros(machine.shape, dtype=np.int32) if machine.stalled is None else machine.stalled
    machine.stalled = before + failed


def deadlock(
    machine: Machine, runnable: Array, instruction: Instruction, patience: int = PATIENCE
) -> Fault | None:
    """The fault where every lane that could run has waited in vain so often, and nobody arrived meanwhile."""
    stalled = machine.stalled
    if stalled is None or not runnable.any() or (stalled < patience)[runnable].any():
        return None
    what = (
        "deadlock: threads wait at an mbarrier for a phase that cannot end, because every other thread has "
        "ended or waits as well; compare its count with who arrives, and the parity that is waited for"
    )
    return machine.batch.fault(Verdict.TIMEOUT, what, instruction, runnable)
