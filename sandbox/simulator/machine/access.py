"""Memory accesses and what threads synchronise through, as observers are told of them."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.device import Array
from sandbox.simulator.ptx.syntax import Instruction

SyncKey = tuple[str, int]
"""What threads synchronise through: a kind ("bar", "mbarrier", "cluster") and its number or byte offset."""


class MemoryAccess(NamedTuple):
    """One memory access of a lock step; a tuple, for one is made at every step that touches memory.

    Attributes:
        offsets: Byte offsets into the space, int64, lane-shaped.
        size: Bytes a lane touches.
        kind: "load", "store" or "atomic".
        mask: Lanes that take part, None for all.
        values: What is stored, where known; lane-shaped.
        owner: Shared memory of another block of the cluster: positions in the batch of the blocks whose it is,
            lane-shaped; None for each lane's own.
    """

    instruction: Instruction
    offsets: Array
    size: int
    kind: str
    mask: Array | None
    values: tuple[Array, ...] = ()
    owner: Array | None = None

    @property
    def reads(self) -> bool:
        """Whether something must lie there before; an exchange may be the first to write."""
        return self.kind == "load" or (self.kind == "atomic" and "exch" not in self.instruction.modifiers)
