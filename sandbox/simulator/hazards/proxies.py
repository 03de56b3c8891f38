"""Shared memory that bulk copies read, and threads wrote without a proxy fence between (PTX ISA 9.0, 8.9.3)."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.findings import Findings, Instructions, Side, told
from sandbox.simulator.hazards.touches import shared_place
from sandbox.simulator.machine.access import MemoryAccess, SyncKey
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.verdict import Verdict

_WORD = 4
_REASON = (
    "a bulk copy reads by the async proxy, for which no barrier alone orders what threads wrote: put "
    "fence.proxy.async.shared::cta (cuda::ptx::fence_proxy_async) behind the write, before the barrier"
)


class ProxyHazards(Observer):
    """Watches the writes of one batch to the shared memory that bulk copies read.

    A proxy fence orders where it lies between the write and the copy: of the thread that wrote, behind the write; or
    of the thread that copies, behind what made it wait for the write. That the copy itself is ordered behind the
    write is for others to judge.

    Args:
        findings: Of the run.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._instructions = Instructions()
        self._now = 0
        self._written: dict[str, Array] = {}
        self._threads: dict[str, Array] = {}

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Remember who wrote last, and when."""
        if access.kind == "load" or access.owner is not None:
            return
        self._now += 1
        number = self._instructions.number(access.instruction)
        position, thread, word = self._words(machine, access)
        for at in range(max(1, access.size // _WORD)):
            for name, value in (("when", self._now), ("thread", thread), ("by", number)):
                self._of(machine, name)[word + at, position] = value

    def shared_copy(self, machine: Machine, access: MemoryAccess, clock: Array) -> None:
        """Judge a copy out of shared memory; one into it leaves nothing that a thread wrote."""
        position, thread, word = self._words(machine, access)
        when = self._of(machine, "when")
        for at in range(access.size // _WORD):
            if access.kind == "load":
                self._judge(machine, access, (position, thread, word + at))
            else:
                when[word + at, position] = 0

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Threads have waited for others."""
        self._waited(machine, released)

    def acquire(self, machine: Machine, key: SyncKey, lanes: Array | None) -> None:
        """The same at an mbarrier, or at a cluster's."""
        self._waited(machine, lanes)

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """The same in a warp."""
        self._waited(machine, machine.mask)

    def proxy_fence(self, machine: Machine) -> None:
        """A fence orders what its thread wrote, or had waited for, before copies that come after."""
        self._now += 1
        lanes = self._lanes(machine, machine.mask)
        self._by_thread(machine, "fenced")[lanes] = self._now
        self._by_thread(machine, "known")[lanes] = self._by_thread(machine, "waited")[lanes]

    def _waited(self, machine: Machine, lanes: Array | None) -> None:
        self._now += 1
        self._by_thread(machine, "waited")[self._lanes(machine, lanes)] = self._now

    def _judge(self, machine: Machine, access: MemoryAccess, where: tuple[Array, Array, Array]) -> None:
        position, thread, word = where
        when = self._of(machine, "when")[word, position]
        writer = self._of(machine, "thread")[word, position]
        fenced = self._by_thread(machine, "fenced")[writer, position]
        known = self._by_thread(machine, "known")[thread, position]
        wrong = np.flatnonzero((when > 0) & (fenced < when) & (known < when))
        if not wrong.size:
            return
        one = int(wrong[0])
        block = int(machine.batch.blocks[int(position[one])])
        by = self._instructions[int(self._of(machine, "by")[word[one], position[one]])]
        before = Side(by, block, int(writer[one]), kind="store")
        now = Side(access.instruction, block, int(thread[one]), kind="load")
        what = f"race on {shared_place(machine, int(word[one]) * _WORD)}: "
        self._findings.race(
            before,
            now,
            lambda: machine.batch.fault(
                Verdict.RACE,
                what + told(machine.batch, before, now, _REASON),
                access.instruction,
                agent=(block, int(thread[one])),
            ),
        )

    def _words(self, machine: Machine, access: MemoryAccess) -> tuple[Array, Array, Array]:
        """Positions in the batch, threads and words of the lanes of an access."""
        thread, position = self._lanes(machine, access.mask)
        offsets = np.broadcast_to(access.offsets, machine.shape).reshape(-1, machine.blocks)
        return position, thread, offsets[thread, position] // _WORD

    def _lanes(self, machine: Machine, mask: Array | None) -> tuple[Array, Array]:
        lanes = np.broadcast_to(np.bool_(True) if mask is None else mask, machine.shape)
        thread, position = np.nonzero(lanes.reshape(-1, machine.blocks))
        return thread, position

    def _of(self, machine: Machine, name: str) -> Array:
        if name not in self._written:
            words = machine.shared.size // _WORD + 8
            self._written[name] = np.zeros((words, machine.blocks), dtype=np.int64)
        return self._written[name]

    def _by_thread(self, machine: Machine, name: str) -> Array:
        if name not in self._threads:
            threads = machine.shape[0] * machine.shape[1]
            self._threads[name] = np.zeros((threads, machine.blocks), dtype=np.int64)
        return self._threads[name]
