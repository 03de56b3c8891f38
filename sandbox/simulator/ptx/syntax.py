"""The typed syntax of a PTX module. Nothing here executes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Register:
    """A virtual register, `%r12`, or a special one, `%tid.x`."""

    name: str


@dataclass(frozen=True)
class Immediate:
    """A literal. `bits` is set for hexadecimal floats (0f..., 0d...): the IEEE image and its width."""

    value: int | float
    bits: int | None = None


@dataclass(frozen=True)
class Symbol:
    """The name of a variable, function, label or parameter, with a byte offset."""

    name: str
    offset: int = 0


@dataclass(frozen=True)
class AddressOperand:
    """A memory operand `[base+offset]`; the base is a register, a symbol or an immediate address."""

    base: Register | Symbol | Immediate
    offset: int = 0


@dataclass(frozen=True)
class Vector:
    """A brace-enclosed list of operands; `_` (a discarded element) is None."""

    elements: tuple[Operand | None, ...]


@dataclass(frozen=True)
class Pair:
    """Two destinations `d|p`; either may be `_`, which is None."""

    first: Register | None
    second: Register | None


@dataclass(frozen=True)
class Negated:
    """A predicate source `!%p1`."""

    register: Register


Operand = Register | Immediate | Symbol | AddressOperand | Vector | Pair | Negated


@dataclass(frozen=True)
class Guard:
    """The predicate of `@%p` or `@!%p`."""

    register: Register
    negated: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        opcode: First part of the mnemonic: `ld`.
        modifiers: The other parts in order: ("global", "nc", "f32").
        line: Source line of the kernel file, from `.loc`; None where the compiler gave none.
        text: The statement as written, for messages.
        header: Path of the header that it was inlined from, as included; empty for the kernel file's own code.
        written: Names of the registers that it writes; none of a call.
        read: Names of the registers that it reads, its guard last.
    """

    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Guard | None
    line: int | None
    text: str
    header: str = ""
    written: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    @property
    def mnemonic(self) -> str:
        """Opcode and modifiers as written."""
        return ".".join((self.opcode, *self.modifiers))


@dataclass(frozen=True)
class Variable:
    """A variable of state space `space`: `size` bytes at `align`; `initial` bytes where it has an initialiser.

    `references` are (byte offset, symbol) pairs that the initialiser takes the address of.
    A `size` of 0 in shared space is dynamic shared memory.
    """

    name: str
    space: str
    size: int
    align: int
    initial: bytes | None = None
    references: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class FormalParameter:
    """A parameter of a kernel or function; `kind` is a PTX type name."""

    name: str
    kind: str
    size: int
    align: int


@dataclass(frozen=True)
class Function:
    """An entry or a device function.

    Attributes:
        registers: Declared registers and their type names.
        body: Instructions in order.
        labels: Label to index into `body`.
        tables: Branch tables of brx.idx: name to labels.
        cluster: From .reqnctapercluster; None where absent.
        most_threads: From .maxntid, the threads a block may have; None where absent.
        block: From .reqntid, the block that a launch must have; None where absent.
    """

    name: str
    is_entry: bool
    parameters: tuple[FormalParameter, ...]
    results: tuple[FormalParameter, ...] = ()
    registers: dict[str, str] = field(default_factory=dict[str, str])
    variables: tuple[Variable, ...] = ()
    body: tuple[Instruction, ...] = ()
    labels: dict[str, int] = field(default_factory=dict[str, int])
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    cluster: tuple[int, int, int] | None = None
    most_threads: int | None = None
    block: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Module:
    """A parsed PTX module: its functions and its module-scope variables by name."""

    version: str
    target: str
    functions: dict[str, Function]
    variables: dict[str, Variable]
