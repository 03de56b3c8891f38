"""What the runner and the timer need of a GPU's driver: one interface, so that tests can record the calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class DriverError(Exception):
    """A call of the CUDA driver failed.

    Attributes:
        code: The CUresult.
        call: The function that returned it; an earlier launch may be the cause.
    """

    def __init__(self, code: int, call: str, text: str) -> None:
        super().__init__(f"{call}: {text} (CUDA error {code})")
        self.code = code
        self.call = call
        self.text = text


@dataclass(frozen=True)
class GpuFacts:
    """What a GPU is (CUDA Driver API, CUdevice_attribute); sizes in bytes, clocks in kHz.

    Attributes:
        driver: The CUDA version that the driver supports, for example 13000.
        shared_optin: Most shared memory that a block may have when it asks for it.
        pageable_access: Device code can reach all of the launching process's memory (HMM or ATS), which is
            therefore treated as hostile: it returns bytes, and another process judges them.
        run_limit: The driver ends kernels that run for long (a display hangs on the GPU).
    """

    name: str
    architecture: str
    driver: int
    multiprocessors: int
    l2_bytes: int
    memory_bytes: int
    shared_optin: int
    clock_khz: int
    pageable_access: bool
    run_limit: bool
    bus_id: str = ""


@dataclass(frozen=True)
class LaunchSettings:
    """How a function is launched; `cluster` is None where none was asked for."""

    function: int
    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int
    cooperative: bool = False
    cluster: tuple[int, int, int] | None = None


class Driver(Protocol):
    """One GPU, one context, one stream; handles and addresses are integers.

    Launches, fills and events are put on the stream and return at once; the copies wait for it.

    Raises (all methods): DriverError.
    """

    @property
    def facts(self) -> GpuFacts:
        """What the GPU is."""
        ...

    def allocate(self, size: int) -> int:
        """Reserve device memory, `size` bytes, aligned to 256."""
        ...

    def free(self, address: int) -> None:
        """Give it back."""
        ...

    def to_device(self, address: int, data: Bytes) -> None:
        """Copy bytes there."""
        ...

    def to_host(self, address: int, size: int) -> Bytes:
        """Return a copy of `size` bytes."""
        ...

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy on the device."""
        ...

    def fill(self, address: int, word: int, count: int) -> None:
        """Write `count` 32-bit words."""
        ...

    def load(self, image: bytes) -> int:
        """Load a cubin, or PTX text that ends with a zero byte; return the module."""
        ...

    def unload(self, module: int) -> None:
        """Unload it."""
        ...

    def function(self, module: int, symbol: str) -> int:
        """Return the kernel of that name."""
        ...

    def variable(self, module: int, symbol: str) -> tuple[int, int]:
        """Return address and bytes of a device or constant variable of that name."""
        ...

    def allow_shared(self, function: int, size: int) -> None:
        """Allow launches with so much dynamic shared memory, bytes (needed above 48 KB)."""
        ...

    def launch(self, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        """Launch; every argument as its bytes."""
        ...

    def record(self) -> Any:
        """Put an event on the stream."""
        ...

    def elapsed_us(self, first: Any, last: Any) -> float:
        """Return the time between two events that have happened, microseconds."""
        ...

    def synchronize(self) -> None:
        """Wait for the stream; errors of launches show here."""
        ...

    def begin_graph(self) -> None:
        """Record the launches that follow, instead of executing them."""
        ...

    def end_graph(self) -> int:
        """Return what was recorded, ready to be launched."""
        ...

    def launch_graph(self, graph: int) -> None:
        """Launch it."""
        ...

    def drop_graph(self, graph: int) -> None:
        """Give it back."""
        ...

    def reset_persisting_lines(self) -> None:
        """Make all persisting lines of the L2 ordinary ones."""
        ...
