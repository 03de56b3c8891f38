"""How strong an access is: what decides whether two may meet (PTX ISA 9.0, sections 8.4 to 8.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from sandbox.simulator.ptx.syntax import Immediate, Instruction

BLOCK, CLUSTER, GRID = 0, 1, 2
"""Scopes, narrow to wide; `.sys` counts as `.gpu`, there is one device."""
_SCOPES = {"cta": BLOCK, "cluster": CLUSTER, "gpu": GRID, "gl": GRID, "sys": GRID}
_STRONG = frozenset({"relaxed", "acquire", "release", "acq_rel", "volatile", "mmio"})
_ORDERED = _STRONG - {"volatile", "mmio"}
_RMW = frozenset({"atom", "red"})


@dataclass(frozen=True)
class Strength:
    """Of one instruction.

    Attributes:
        strong: Relaxed or more; volatile is relaxed at system scope (section 8.4).
        scope: Of a strong one: BLOCK, CLUSTER or GRID.
        acquires: An acquire operation; a reduction never is one (section 8.8).
        releases: A release operation.
        changes: Reads and writes at once: `atom` and `red`.
        observes: What it reads may begin an acquire pattern: somebody looks at it.
        sets: An exchange whose old value nobody looks at: a strong store.
        adds: Another atomic operation of which nobody looks at the old value.
        only_reads: Adds zero or the like: a strong load.
        waits: A loop waits for what it reads.
        ticket: An atomic operation without an explicit order of which somebody, but no loop, looks at the old value.
    """

    strong: bool
    scope: int
    acquires: bool
    releases: bool
    changes: bool
    observes: bool
    sets: bool = False
    adds: bool = False
    only_reads: bool = False
    waits: bool = False
    ticket: bool = False


def never_steers(load: Instruction) -> bool:
    """Of code that nobody looked at."""
    return False


@dataclass(frozen=True)
class LoadUses:
    """What a kernel does with what it reads; identities of instructions.

    Attributes:
        flags: Strong loads whose value ends a loop.
        tries: Atomic operations whose old value ends a loop.
        looks: Plain loads whose value an atomic operation on the same location checks.
        unread: Atomic operations whose old value nobody reads.
        tickets: Whether there are other ones than those and `tries`.
        steers: Says of a load whether a comparison, a branch, a guard or an address depends on its value; asked
            only where a load read what nothing wrote.
    """

    flags: frozenset[int] = frozenset()
    tries: frozenset[int] = frozenset()
    looks: frozenset[int] = frozenset()
    unread: frozenset[int] = frozenset()
    tickets: bool = False
    steers: Callable[[Instruction], bool] = never_steers

    @property
    def waits(self) -> bool:
        """Whether a loop waits for what other threads do."""
        return bool(self.flags or self.tries)


class Strengths:
    """How strong the instructions of a kernel are, by what it does with what they read."""

    def __init__(self, uses: LoadUses) -> None:
        self._uses = uses
        self._known: dict[int, Strength] = {}
        self.tickets = uses.tickets

    def of(self, instruction: Instruction) -> Strength:
        """Of a load, store, atomic operation or reduction."""
        found = self._known.get(id(instruction))
        if found is None:
            found = self._known[id(instruction)] = self._find(instruction)
        return found

    def waits(self, instruction: Instruction) -> bool:
        """Whether it is strong, and a loop waits for what it reads."""
        return self.of(instruction).waits

    def looks(self, instruction: Instruction) -> bool:
        """Whether it is a plain load that an atomic operation checks."""
        return id(instruction) in self._uses.looks

    def _find(self, instruction: Instruction) -> Strength:
        found = _strength(instruction.opcode, instruction.modifiers)
        found = replace(found, waits=found.strong and id(instruction) in self._uses.flags | self._uses.tries)
        if not found.changes:
            return found
        unread = instruction.opcode == "red" or id(instruction) in self._uses.unread
        idle = _leaves_as_it_is(instruction)
        sets = unread and "exch" in instruction.modifiers
        return replace(
            found,
            observes=found.observes and not unread,
            sets=sets,
            adds=unread and not (sets or idle),
            only_reads=idle,
            ticket=not (unread or found.waits or _ORDERED & set(instruction.modifiers)),
        )


def _leaves_as_it_is(instruction: Instruction) -> bool:
    """`atomicAdd(p, 0)`, `atomicOr(p, 0)`, `atomicCAS(p, 0, 0)`."""
    given = [o.value for o in instruction.operands[-2:] if isinstance(o, Immediate)]
    if "cas" in instruction.modifiers:
        return len(given) == 2 and given[0] == given[1]
    return bool(given) and given[-1] == 0 and not {"add", "or", "xor"}.isdisjoint(instruction.modifiers)


@dataclass(frozen=True)
class Fence:
    """A fence: sequentially consistent or not, and which sides of it order something."""

    scope: int
    total: bool
    acquires: bool
    releases: bool


def is_strong(instruction: Instruction) -> bool:
    """Whether it is relaxed or more."""
    return _strength(instruction.opcode, instruction.modifiers).strong


@lru_cache(maxsize=1024)
def _strength(opcode: str, modifiers: tuple[str, ...]) -> Strength:
    parts = set(modifiers)
    changes = opcode in _RMW
    strong = changes or bool(parts & _STRONG)
    scope = GRID if "volatile" in parts else _scope(modifiers, GRID)
    return Strength(
        strong=strong,
        scope=scope,
        acquires=opcode != "red" and bool(parts & {"acquire", "acq_rel"}),
        releases=bool(parts & {"release", "acq_rel"}),
        changes=changes,
        observes=strong and opcode in {"ld", "atom"},
    )


@lru_cache(maxsize=256)
def fence_of(opcode: str, modifiers: tuple[str, ...]) -> Fence:
    """`membar` is `fence.sc`; `fence` without `.sc` is `.acq_rel` (PTX ISA 9.0, section 9.7.13.4)."""
    parts = set(modifiers)
    return Fence(
        scope=_scope(modifiers, GRID),
        total=opcode == "membar" or "sc" in parts,
        acquires="release" not in parts,
        releases="acquire" not in parts,
    )


def _scope(modifiers: tuple[str, ...], default: int) -> int:
    return next((_SCOPES[part] for part in modifiers if part in _SCOPES), default)
