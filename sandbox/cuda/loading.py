"""A program on a GPU: its kernels by launched name, their arguments as bytes, launches and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.arguments import argument_bytes
from sandbox.cuda.driver import Driver, DriverError, LaunchSettings
from sandbox.cuda.errors import meaning
from sandbox.device import Fault
from sandbox.plan import Launch, LaunchMode, Plan
from sandbox.program import Program
from sandbox.verdict import Verdict

_NOT_FOUND = 500
"""CUDA_ERROR_NOT_FOUND."""

Addresses = Callable[[str], int]
"""From a buffer's name to its address."""

Prepared = tuple[LaunchSettings, tuple[bytes, ...]]


class RefusedError(Exception):
    """The candidate cannot go on; `spent` says that the context is lost with it."""

    def __init__(self, fault: Fault, *, spent: bool = False) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.spent = spent


class Loaded:
    """A cubin, loaded: device globals and constants hold what the cubin says, until a kernel writes them."""

    def __init__(self, driver: Driver, program: Program) -> None:
        """Load it.

        Raises:
            RefusedError: The driver cannot load it.
        """
        self._driver = driver
        self._program = program
        self._module = self._load()

    def _load(self) -> int:
        try:
            return self._driver.load(self._program.cubin)
        except DriverError as error:
            raise refusal(error, "the driver does not load the program", None) from error

    def reload(self) -> None:
        """Load it anew: device globals hold the cubin's image again."""
        self._driver.unload(self._module)
        self._module = self._load()

    def fill_constants(self, plan: Plan, addresses: Addresses) -> None:
        """Copy inputs to the constant arrays that hold them, but for arrays that no code reads; asynchronous."""
        sizes = {buffer.name: buffer.nbytes for buffer in plan.buffers}
        for one in plan.constants:
            try:
                address, size = self._driver.variable(self._module, one.symbol)
            except DriverError as error:
                if error.code == _NOT_FOUND:
                    continue
                raise
            self._driver.copy(address, addresses(one.buffer), min(size, sizes[one.buffer]))

    def prepare(self, launch: Launch, addresses: Addresses) -> Prepared:
        """Return a launch ready to be made, any number of times.

        Raises:
            RefusedError: There is no such kernel, or it may not have so much shared memory.
        """
        if min(*launch.grid, *launch.block) < 1:
            message = f"the device refuses the launch at line {launch.line}: grid {launch.grid}, block {launch.block}"
            raise RefusedError(Fault(Verdict.LAUNCH_ERROR, message, launch.kernel, launch.line))
        try:
            function = self._driver.function(
                self._module, self._program.symbols.get(launch.kernel, launch.kernel)
            )
            if launch.shared_bytes > 0:
                self._driver.allow_shared(function, launch.shared_bytes)
        except DriverError as error:
            raise refusal(error, _refused(launch), launch) from error
        settings = LaunchSettings(
            function,
            launch.grid,
            launch.block,
            launch.shared_bytes,
            launch.mode is LaunchMode.COOPERATIVE,
            launch.cluster if launch.mode is LaunchMode.CLUSTER else None,
        )
        return settings, tuple(argument_bytes(argument, addresses) for argument in launch.arguments)

    def launch(self, launch: Launch, prepared: Prepared) -> None:
        """Launch; returns at once.

        Raises:
            RefusedError: The device refuses the launch.
        """
        try:
            self._driver.launch(*prepared)
        except DriverError as error:
            raise refusal(error, _refused(launch), launch) from error

    def finish(self, launch: Launch | None) -> None:
        """Wait; what went wrong is put on `launch`.

        Raises:
            RefusedError: A kernel failed.
        """
        try:
            self._driver.synchronize()
        except DriverError as error:
            where = f" of {launch.kernel}, launched at line {launch.line}," if launch else ""
            raise refusal(error, f"a thread{where} failed", launch) from error

    def unload(self) -> None:
        """Give it back."""
        self._driver.unload(self._module)


def refusal(error: DriverError, what: str, launch: Launch | None) -> RefusedError:
    """Return what an error means for the candidate; raise it again where the machine is at fault.

    Raises:
        DriverError: It says nothing of the candidate.
    """
    found = meaning(error.code)
    if found is None:
        raise error
    message = f"{what}: {error.text} ({found.name}): {found.hint}"
    fault = Fault(found.verdict, message, launch.kernel if launch else None, launch.line if launch else None)
    return RefusedError(fault, spent=found.sticky)


def _refused(launch: Launch) -> str:
    return f"the device refuses the launch at line {launch.line}"
