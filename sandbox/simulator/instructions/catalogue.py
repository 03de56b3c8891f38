"""The table of instructions: opcode to meaning, each entry with its section of PTX ISA 9.0.

A *formula* is arithmetic: typed sources to one typed result, no state. Everything else is a *step* that acts on
the machine. Adding an instruction is one decorated function in the module of its kin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from sandbox.device import Array
from sandbox.simulator.machine.state import Step
from sandbox.simulator.ptx.syntax import Instruction, Operand, Register
from sandbox.simulator.ptx.types import TYPES, PtxType

ROUNDINGS = frozenset({"rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi", "rna"})


class UnsupportedError(Exception):
    """The simulator does not run this instruction; the text names it."""


@dataclass(frozen=True)
class Modifiers:
    """The dotted parts of a mnemonic after its opcode."""

    parts: tuple[str, ...]

    @cached_property
    def types(self) -> tuple[PtxType, ...]:
        """Every type among the parts, in order."""
        return tuple(TYPES[part] for part in self.parts if part in TYPES)

    @property
    def type(self) -> PtxType:
        """The last type."""
        found = self.types
        if not found:
            raise UnsupportedError("no operand type")
        return found[-1]

    @property
    def rounding(self) -> str:
        """The rounding modifier, empty where absent."""
        return next((part for part in self.parts if part in ROUNDINGS), "")

    def __contains__(self, part: str) -> bool:
        """Whether a part is present."""
        return part in self.parts


@dataclass(frozen=True)
class Formula:
    """Arithmetic on lane-shaped arrays: dtypes of `sources` in, dtype of `result` out.

    `approximate`, of the approximate instructions, takes the seed of their errors before the sources.
    """

    sources: tuple[PtxType, ...]
    result: PtxType
    function: Callable[..., Array]
    approximate: Callable[..., Array] | None = None


class Slots(Protocol):
    """Where operands live; given to step builders by the decoder."""

    def source(self, operand: Operand, kind: PtxType) -> int:
        """The slot to read an operand from; immediates and symbols get slots too."""
        ...

    def target(self, register: Register) -> int:
        """The slot of a destination register."""
        ...

    def width(self, register: Register) -> int:
        """Declared width of a register, bytes."""
        ...

    def is_read(self, register: Register) -> bool:
        """Whether anything reads the register."""
        ...


FormulaBuilder = Callable[[Modifiers], Formula]
StepBuilder = Callable[[Instruction, Modifiers, Slots], Step]


Builder = TypeVar("Builder")


@dataclass(frozen=True)
class Entry(Generic[Builder]):
    """One row of the catalogue."""

    opcode: str
    section: str
    build: Builder
    note: str = ""


FORMULAS: dict[str, Entry[FormulaBuilder]] = {}
STEPS: dict[str, Entry[StepBuilder]] = {}


def formula(opcode: str, section: str, note: str = "") -> Callable[[FormulaBuilder], FormulaBuilder]:
    """Register an arithmetic instruction; `note` says in docs/ptx.md what is special about it."""

    def register(build: FormulaBuilder) -> FormulaBuilder:
        FORMULAS[opcode] = Entry(opcode, section, build, note)
        return build

    return register


def step(opcode: str, section: str, note: str = "") -> Callable[[StepBuilder], StepBuilder]:
    """Register an instruction that acts on the machine; `note` goes to docs/ptx.md."""

    def register(build: StepBuilder) -> StepBuilder:
        STEPS[opcode] = Entry(opcode, section, build, note)
        return build

    return register


def same(kind: PtxType, count: int, function: Callable[..., Array]) -> Formula:
    """A formula whose sources and result have one type."""
    return Formula((kind,) * count, kind, function)


def refuse(what: str) -> UnsupportedError:
    """An error that names what is missing."""
    return UnsupportedError(what)
