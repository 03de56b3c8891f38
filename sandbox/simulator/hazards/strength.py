"""How strong an access is: what PTX's memory model asks of two that touch one location (PTX ISA 9.0, sections 8.4 to 8.8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sandbox.simulator.ptx.syntax import Instruction

BLOCK, CLUSTER, GRID = 0, 1, 2
"""Scopes, narrow to wide; `.sys` counts as `.gpu`, there is one device."""
_SCOPES = {"cta": BLOCK, "cluster": CLUSTER, "gpu": GRID, "gl": GRID, "sys": GRID}
_STRONG = frozenset({"relaxed", "acquire", "release", "acq_rel", "volatile", "mmio"})
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
        observes: What it reads may begin an acquire pattern.
    """

    strong: bool
    scope: int
    acquires: bool
    releases: bool
    changes: bool
    observes: bool


@dataclass(frozen=True)
class Fence:
    """A fence: sequentially consistent or not, and which sides of it order something."""

    scope: int
    total: bool
    acquires: bool
    releases: bool


def strength(instruction: Instruction) -> Strength:
    """The strength of a load, store, atomic operation or reduction."""
    return _strength(instruction.opcode, instruction.modifiers)


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
