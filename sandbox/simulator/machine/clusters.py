"""Addresses in the shared memory of other blocks of a cluster (PTX ISA 9.0, sections 5.1.5 and 9.7.9.23).

Such an address is the offset in its own block plus `RANK_UNIT` times one more than the rank of the block; without
that it is the offset in the lane's own block, as on a device, where the window of the block is part of the cluster's.
"""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.machine.lanes import EVERYONE
from sandbox.simulator.machine.state import Machine
from sandbox.verdict import Verdict

RANK_UNIT = 1 << 24
REMOTE = "remote mbarrier"
"""Kind of the keys of mbarriers that other blocks arrive at: byte offset times `RANKS` plus the owner's rank."""
RANKS = 16
_OWN_ONLY = frozenset({"shared", "shared::cta"})


def reaches_out(machine: Machine, access: MemoryAccess, high: int) -> bool:
    """Whether an access that ends at byte `high` may be to another block, and its instruction able to."""
    return (
        high > RANK_UNIT
        and access.owner is None
        and machine.batch.geometry.cluster_size > 1
        and _OWN_ONLY.isdisjoint(access.instruction.modifiers)
    )


def own_rank(machine: Machine) -> Array:
    """Rank of each block of the batch in its cluster, shape (1, 1, B); ranks follow each other in a batch."""
    return np.arange(machine.blocks).reshape(1, 1, -1) % machine.batch.geometry.cluster_size


def rank_of(machine: Machine, offsets: Array) -> Array:
    """Rank of the block that offsets in the window of the cluster belong to."""
    field = offsets // RANK_UNIT
    return np.where(field == 0, own_rank(machine), field - 1)


def in_cluster(machine: Machine, access: MemoryAccess) -> MemoryAccess:
    """The access with offsets in each block's own window, and its `owner`.

    Raises:
        FaultError: A lane's address belongs to no block of the cluster, or to one that has ended.
    """
    size = machine.batch.geometry.cluster_size
    rank = rank_of(machine, access.offsets)
    active = EVERYONE if access.mask is None else access.mask
    nobody = (rank < 0) | (rank >= size)
    if (nobody & active).any():
        what = f"an address in shared memory of the cluster that belongs to none of its {size} blocks"
        raise FaultError(machine.batch.fault(Verdict.MEMORY_FAULT, what, access.instruction, nobody & active))
    rank = np.where(nobody, 0, rank)
    owner = np.arange(machine.blocks).reshape(1, 1, -1) // size * size + rank
    if machine.live is not None:
        ended = ~np.broadcast_to(machine.live.any(axis=(0, 1)), (machine.blocks,))[owner]
        if (ended & active).any():
            what = "access to the shared memory of a block of the cluster that has ended"
            raise FaultError(machine.batch.fault(Verdict.RACE, what, access.instruction, ended & active))
    return access._replace(offsets=access.offsets % RANK_UNIT, owner=owner)
