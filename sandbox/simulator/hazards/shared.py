"""Races in shared memory between barriers, and reads of shared memory that nothing wrote."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sandbox.device import Array
from sandbox.simulator.hazards.findings import Findings
from sandbox.simulator.hazards.log import LoggedAccess, apart, conflicting, entries, joined, warps
from sandbox.simulator.hazards.strength import Strengths
from sandbox.simulator.hazards.touches import shared_place
from sandbox.simulator.machine.access import MemoryAccess
from sandbox.simulator.machine.lanes import WARP, by_warp
from sandbox.simulator.machine.state import Machine, Observer
from sandbox.simulator.ptx.types import U32
from sandbox.verdict import Verdict

_LOG_LIMIT = 1 << 17
_DENSE = 8


class SuspectedError(Exception):
    """Something may be a race, or not: only a run under vector clocks can say."""


def whole_warps(machine: Machine, members: Array) -> bool:
    """Whether a barrier of warps names every live lane of each warp that passes it, and all of them pass it."""
    if machine.mask is None and members.size == 1 and int(members.flat[0]) == 0xFFFFFFFF:
        return True
    geometry = machine.batch.geometry
    active = by_warp(machine.active, geometry, fill=False)
    live = np.ones_like(active) if machine.live is None else by_warp(machine.live, geometry, fill=False)
    here = active.any(axis=1, keepdims=True)
    common = np.bitwise_and.reduce(
        np.where(active, by_warp(members, geometry), U32.type(0xFFFFFFFF)), axis=1, keepdims=True
    )
    named = common >> np.arange(WARP, dtype=U32).reshape(1, WARP, 1) & U32.type(1)
    inside = np.arange(geometry.warps * WARP).reshape(geometry.warps, WARP, 1) < geometry.threads
    return not bool((here & live & inside & ~(active & (named != 0))).any())


@dataclass
class SharedHazards(Observer):
    """Watches one batch.

    Two accesses to one unit race if at least one is a plain write, different threads made them, and no barrier
    lies between. Threads of one warp are also ordered by `__syncwarp` (bar.warp.sync); shuffles and votes order
    nothing (CUDA C++ Programming Guide, "Warp Shuffle Functions"). Atomics do not race with atomics.

    This knows of no other synchronisation, so what it suspects is no verdict: `SuspectedError` asks for another run
    under `OrderedHazards`, which knows of all.

    Attributes:
        granularity: Bytes of a unit: 4, or the narrowest access of the kernel.
        findings: Of the run.
        strengths: Of the kernel's instructions.
    """

    granularity: int
    findings: Findings
    strengths: Strengths
    _log: list[LoggedAccess] = field(default_factory=list[LoggedAccess])
    _window: list[LoggedAccess] = field(default_factory=list[LoggedAccess])
    _size: int = 0
    _per_block: bool = False
    _written: Array | None = None

    def shared_access(self, machine: Machine, access: MemoryAccess) -> None:
        """Log the access; a read of what nothing wrote is a fault at once."""
        varying = access.offsets.shape[2] > 1 or (access.mask is not None and access.mask.shape[2] > 1)
        if varying and not self._per_block:
            self._flush(machine)
            self._spread(machine)
        found = entries(machine, access, self.granularity, self._per_block)
        written = self._written_units(machine)
        for entry in found:
            if access.reads and not written.take(entry.unit).all():
                self._never_written(machine, access, entry)
            if access.kind != "load":
                written[entry.unit] = True
            self._size += entry.unit.size
        self._log += found
        self._window += found
        if self._size > _LOG_LIMIT:
            self._fold(machine)

    def barrier(self, machine: Machine, released: Array | None, number: int | None = None) -> None:
        """Judge what was logged; a barrier of some blocks only judges by block from then on."""
        self._judge_blocks(machine)
        self._judge_warps(machine)
        if released is None:
            self._log.clear()
            self._size = 0
            self._window.clear()
        else:
            self._forget(machine, released)
            self._order_warps(machine, released)

    def warp_barrier(self, machine: Machine, members: Array) -> None:
        """`bar.warp.sync`: accesses before it are ordered before those after it, within the warps that execute it.

        Raises:
            SuspectedError: Not of a whole warp.
        """
        if not whole_warps(machine, members):
            raise SuspectedError("a barrier of some lanes of a warp")
        self._judge_warps(machine)
        self._order_warps(machine, machine.active)

    def _order_warps(self, machine: Machine, lanes: Array) -> None:
        """Forget what the warps of these lanes did: it is ordered before what they do now."""
        absent = np.logical_not(by_warp(lanes, machine.batch.geometry, fill=False).any(axis=(1, 2)))
        kept = [_only(entry, absent[warps(entry.low)]) for entry in self._window] if absent.any() else []
        self._window = [entry for entry in kept if entry.unit.size]

    def finish(self, machine: Machine) -> None:
        """Judge what was logged since the last barrier."""
        self._judge_warps(machine)
        self._judge_blocks(machine)
        self._log.clear()

    def _written_units(self, machine: Machine) -> Array:
        if self._written is None:
            units = -(-machine.shared.size // self.granularity) + 1
            self._written = np.zeros(units * (machine.blocks if self._per_block else 1), dtype=np.bool_)
        return self._written

    def _spread(self, machine: Machine) -> None:
        """From here on every block has units of its own."""
        written = self._written_units(machine)
        self._per_block = True
        self._written = np.repeat(written, machine.blocks)

    def _flush(self, machine: Machine) -> None:
        """Rewrite the log with a unit for each block."""
        blocks = np.arange(machine.blocks)
        self._log = [_by_block(entry, blocks) for entry in self._log]
        self._window = [_by_block(entry, blocks) for entry in self._window]
        self._size = sum(entry.unit.size for entry in self._log)

    def _forget(self, machine: Machine, released: Array) -> None:
        if not self._per_block:
            self._flush(machine)
            self._spread(machine)
        gone = np.broadcast_to(released.any(axis=(0, 1)), (machine.blocks,))
        kept = [_only(entry, ~gone[entry.unit % machine.blocks]) for entry in self._log]
        self._log = [entry for entry in kept if entry.unit.size]
        self._size = sum(entry.unit.size for entry in self._log)

    def _fold(self, machine: Machine) -> None:
        """Keep the log short: judge it, then keep one element for each unit, warp and instruction."""
        self._judge_warps(machine)
        self._judge_blocks(machine)
        self._log, self._window = _merged(self._log), _merged(self._window)
        self._size = min(sum(entry.unit.size for entry in self._log), _LOG_LIMIT // 2)

    def _judge_warps(self, machine: Machine) -> None:
        """Races inside a warp since its last `__syncwarp`."""
        if any(entry.kind != "load" for entry in self._window):
            self._judge(machine, self._window, within_warp=True)

    def _judge_blocks(self, machine: Machine) -> None:
        """Races between warps since the last barrier of the block."""
        if machine.batch.geometry.warps > 1 and any(entry.kind != "load" for entry in self._log):
            self._judge(machine, self._log, within_warp=False)

    def _judge(self, machine: Machine, log: list[LoggedAccess], *, within_warp: bool) -> None:
        unit, low, high = joined(log)
        if within_warp:
            # Elements that span warps hold a whole warp's worth of threads, or more, in each.
            unit = unit * _WARPS + warps(low)
        else:
            same, low = high is low, warps(low)
            high = low if same else warps(high)
        if apart(unit, low, high):
            return
        kinds = np.repeat([self._kind(entry) for entry in log], [entry.unit.size for entry in log])
        suspects = conflicting(unit, low, high, kinds)
        if suspects.size:
            self._report(machine, log, unit, suspects)

    def _kind(self, entry: LoggedAccess) -> int:
        """An exchange whose old value nobody reads is a store."""
        if entry.kind == "atomic" and self.strengths.of(entry.instruction).sets:
            return _KIND["store"]
        return _KIND[entry.kind]

    def _report(self, machine: Machine, log: list[LoggedAccess], unit: Array, suspects: Array) -> None:
        positions = np.concatenate([np.full(entry.unit.size, i) for i, entry in enumerate(log)])
        starts = np.cumsum([0, *(entry.unit.size for entry in log)])
        for suspect in suspects:
            members = np.flatnonzero(unit == suspect)
            found: list[int] = positions[members].tolist()
            involved = [log[i] for i in dict.fromkeys(found)]
            lines = _lines(involved)
            if all(e.kind == "store" for e in involved) and _same_value(
                log, positions[members], members - starts[positions[members]], machine.blocks
            ):
                text = f"several threads write the same value to shared memory at {lines}: benign"
                self.findings.note(text)
                continue
            raise SuspectedError(f"shared memory at {lines}")

    def _never_written(self, machine: Machine, access: MemoryAccess, entry: LoggedAccess) -> None:
        written = self._written_units(machine)
        position = int(np.argmin(written.take(entry.unit)))
        unit, block = int(entry.unit[position]), 0
        if self._per_block:
            unit, block = divmod(unit, machine.blocks)
        byte = unit * self.granularity
        what = f"read of {shared_place(machine, byte)}, which nothing wrote"
        agent = (int(machine.batch.blocks[block]), int(entry.low[position]))
        fault = machine.batch.fault(Verdict.UNINITIALIZED, what, access.instruction, agent=agent)
        self.findings.unwritten(replace(fault, buffer="shared memory", offset=byte), access.instruction)


_KIND = {"load": 0, "store": 1, "atomic": 2}
_WARPS = 64


def _by_block(entry: LoggedAccess, blocks: Array) -> LoggedAccess:
    def spread(values: Array) -> Array:
        return np.repeat(values, blocks.size)

    def value() -> Array | None:
        stored = entry.value()
        if stored is None:
            return None
        stored = stored[:, None] if stored.ndim == 1 else stored
        return np.broadcast_to(stored, (len(stored), blocks.size)).reshape(-1)

    unit = (entry.unit[:, None] * blocks.size + blocks).reshape(-1)
    return LoggedAccess(entry.instruction, entry.kind, unit, spread(entry.low), spread(entry.high), value)


def _only(entry: LoggedAccess, keep: Array) -> LoggedAccess:
    def value() -> Array | None:
        stored = entry.value()
        return None if stored is None else stored[keep]

    return LoggedAccess(
        entry.instruction, entry.kind, entry.unit[keep], entry.low[keep], entry.high[keep], value
    )


def _merged(log: list[LoggedAccess]) -> list[LoggedAccess]:
    merged: dict[int, list[LoggedAccess]] = {}
    for entry in log:
        merged.setdefault(id(entry.instruction), []).append(entry)
    return [_merge(group) for group in merged.values()]


def _unknown() -> None:
    """Too many elements to remember what each stored."""


def _merge(group: list[LoggedAccess]) -> LoggedAccess:
    """One element for each unit and warp: who conflicts is told by the first and the last agent alone."""
    unit = np.concatenate([entry.unit for entry in group])
    low = np.concatenate([entry.low for entry in group])
    high = np.concatenate([entry.high for entry in group])
    warp = warps(low)
    count = int(warp.max(initial=0)) + 1
    unit, low, high = _ranges(unit.astype(np.int64) * count + warp, low, high)
    return LoggedAccess(group[0].instruction, group[0].kind, unit // count, low, high, _unknown)


def _ranges(key: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Every key once, in order, with the smallest `low` and the largest `high` of its elements."""
    size = int(key.max(initial=0)) + 1
    if size <= _DENSE * key.size:
        first, last = np.full(size, np.iinfo(low.dtype).max, low.dtype), np.zeros(size, high.dtype)
        np.minimum.at(first, key, low)
        np.maximum.at(last, key, high)
        kept = np.flatnonzero(first <= last)
        return kept, first[kept], last[kept]
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    return key[starts], np.minimum.reduceat(low[order], starts), np.maximum.reduceat(high[order], starts)


def _same_value(log: list[LoggedAccess], which: Array, elements: Array, blocks: int) -> bool:
    """Whether these elements of these entries all store one value, block by block."""
    seen: set[bytes] = set()
    found: list[int] = np.unique(which).tolist()
    for position in found:
        stored = log[position].value()
        if stored is None:
            return False
        rows = stored[elements[which == position]].reshape(-1, 1 if stored.ndim == 1 else blocks)
        seen.update(np.broadcast_to(row, (blocks,)).tobytes() for row in rows)
    return len(seen) == 1


def _lines(involved: list[LoggedAccess]) -> str:
    lines = sorted({entry.instruction.line or 0 for entry in involved})
    return ("line " if len(lines) == 1 else "lines ") + ", ".join(map(str, lines))
