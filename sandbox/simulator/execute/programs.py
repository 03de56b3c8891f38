"""Programs parsed once, their kernels decoded when they are first launched."""

from __future__ import annotations

from functools import cached_property, lru_cache

from sandbox.device import Fault
from sandbox.program import Program
from sandbox.simulator.decode.code import Code
from sandbox.simulator.decode.decoder import decode, reachable
from sandbox.simulator.decode.governing import Governing, governing
from sandbox.simulator.decode.idle import idle, without
from sandbox.simulator.decode.slots import SPECIAL_REGISTERS
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.ptx.parser import PtxSyntaxError, parse
from sandbox.simulator.ptx.references import used_variables
from sandbox.simulator.ptx.syntax import Module, Variable
from sandbox.verdict import Verdict


class LoadedProgram:
    """A program parsed once; kernels are decoded when first launched."""

    def __init__(self, program: Program) -> None:
        self.program = program
        try:
            self.module: Module = parse(program.ptx)
        except PtxSyntaxError as error:
            fault = Fault(Verdict.UNSUPPORTED, f"the simulator cannot read this PTX: {error}")
            raise FaultError(fault) from error
        self._codes: dict[str, Code] = {}
        self._governing: dict[str, Governing] = {}
        self._counted: dict[str, Code] = {}

    def counted(self, code: Code) -> Code:
        """A kernel as it is run to be counted: without arithmetic that no path and no access depends on."""
        symbol = code.function.name
        if symbol not in self._counted:
            self._counted[symbol] = without(code, self._idle)
        return self._counted[symbol]

    @cached_property
    def _idle(self) -> frozenset[int]:
        return idle(self.module.functions.values())

    def governing(self, code: Code) -> Governing:
        """What a kernel goes by."""
        symbol = code.function.name
        if symbol not in self._governing:
            self._governing[symbol] = governing(reachable(self.module, symbol))
        return self._governing[symbol]

    @cached_property
    def unsteady(self) -> bool:
        """Whether any function uses atomic operations or mbarriers, ways to speak without a barrier, or `activemask`.

        Who executes together, as the latter says, is a matter of the schedule too.
        """
        bodies = (function.body for function in self.module.functions.values())
        concerned = {"atom", "red", "mbarrier", "activemask"}
        return any(instruction.opcode in concerned for body in bodies for instruction in body)

    @cached_property
    def device_variables(self) -> tuple[Variable, ...]:
        """The global and constant variables that the code refers to; the others do not come into being."""
        used = used_variables(self.module)
        variables = self.module.variables.values()
        return tuple(v for v in variables if v.space in {"global", "const"} and v.name in used)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Special registers that any function may read, by name."""
        return frozenset(name for name in SPECIAL_REGISTERS if name in self.program.ptx)

    def kernel(self, name: str) -> Code:
        """The executable form of a launched kernel.

        Raises:
            FaultError: LAUNCH_ERROR where there is none of that name.
        """
        symbol = self.program.symbols.get(name, name)
        if symbol not in self.module.functions or not self.module.functions[symbol].is_entry:
            raise FaultError(
                Fault(Verdict.LAUNCH_ERROR, f"no kernel named {name} in the program", kernel=name)
            )
        return self.function(symbol)

    def function(self, symbol: str) -> Code:
        """The executable form of a kernel or device function of the module."""
        if symbol not in self._codes:
            self._codes[symbol] = decode(self.module, symbol)
        return self._codes[symbol]

    def function_addresses(self, first: int) -> dict[str, int]:
        """Every function's address, for calls through pointers; `first` is that of the first one."""
        return {name: first + 16 * index for index, name in enumerate(self.module.functions)}


class _Loader:
    """Remembers the last few parsed programs by their key."""

    @staticmethod
    @lru_cache(maxsize=64)
    def by_key(key: str, program: _Hashed) -> LoadedProgram:
        return LoadedProgram(program.program)


class _Hashed:
    """A program that compares by key: its dicts are not hashable."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __hash__(self) -> int:
        return hash(self.program.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other.program.key == self.program.key


def load(program: Program) -> LoadedProgram:
    """Parse a program, or return the parsed form of the same one.

    Raises:
        FaultError: UNSUPPORTED where the PTX cannot be read.
    """
    return _Loader.by_key(program.key, _Hashed(program))
