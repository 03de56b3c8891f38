"""`Driver` by PyCUDA, and by the driver's own calls where PyCUDA has none; nothing else imports PyCUDA."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sandbox.cuda.driver import Bytes, DriverError, GpuFacts, LaunchSettings
from sandbox.cuda.libcuda import LibCuda

_PRINT_BYTES = 1 << 20
_ENVIRONMENT = {
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # cuda:1 is number 1 of nvidia-smi
    "CUDA_MODULE_LOADING": "EAGER",  # else a kernel is loaded at its first launch, while it is timed
    "CUDA_CACHE_DISABLE": "1",
}


class PyCudaDriver:
    """One GPU through PyCUDA; implements `sandbox.cuda.driver.Driver`."""

    def __init__(self, cuda: Any, library: LibCuda, device: Any) -> None:
        """Make a context on a device.

        Args:
            cuda: The module `pycuda.driver`, initialised.
            library: The driver's own calls.
            device: A `pycuda.driver.Device`.

        Raises:
            DriverError: The device cannot be used.
        """
        self._cuda = cuda
        self._library = library
        self._allocations: dict[int, Any] = {}
        with self._translated():
            self._context: Any = device.make_context()
        try:
            self._prepare(device)
        except BaseException:
            self.close()
            raise

    def _prepare(self, device: Any) -> None:
        cuda = self._cuda
        with self._translated():
            self._stream: Any = cuda.Stream()
            self._handle = int(self._stream.handle)
            cuda.Context.set_limit(cuda.limit.PRINTF_FIFO_SIZE, _PRINT_BYTES)
            self._facts = _facts(cuda, device)
        self._persisting = int(self._facts.architecture.removeprefix("sm_")) >= 80
        if self._persisting:
            self._library.forbid_persisting_lines()

    def close(self) -> None:
        """End the context; a process that leaves one on PyCUDA's stack is aborted when it exits.

        Detaching takes a lost context off the stack too, where popping it would fail.
        """
        with contextlib.suppress(self._cuda.Error):
            self._context.detach()

    @property
    def facts(self) -> GpuFacts:
        """See `Driver`."""
        return self._facts

    def allocate(self, size: int) -> int:
        """See `Driver`."""
        with self._translated():
            allocation: Any = self._cuda.mem_alloc(max(1, size))
        address = int(allocation)
        self._allocations[address] = allocation
        return address

    def free(self, address: int) -> None:
        """See `Driver`."""
        with self._translated():
            self._allocations.pop(address).free()

    def to_device(self, address: int, data: Bytes) -> None:
        """See `Driver`."""
        if data.size:
            with self._translated():
                self._cuda.memcpy_htod(address, data)

    def to_host(self, address: int, size: int) -> Bytes:
        """See `Driver`."""
        data = np.empty(size, np.uint8)
        if size:
            with self._translated():
                self._cuda.memcpy_dtoh(data, address)
        return data

    def copy(self, target: int, source: int, size: int) -> None:
        """See `Driver`."""
        with self._translated():
            self._cuda.memcpy_dtod_async(target, source, size, self._stream)

    def fill(self, address: int, word: int, count: int) -> None:
        """See `Driver`."""
        with self._translated():
            self._cuda.memset_d32_async(address, word, count, self._stream)

    def load(self, image: bytes) -> int:
        """See `Driver`."""
        return self._library.load_module(image)

    def unload(self, module: int) -> None:
        """See `Driver`."""
        self._library.unload_module(module)

    def function(self, module: int, symbol: str) -> int:
        """See `Driver`."""
        return self._library.function(module, symbol)

    def variable(self, module: int, symbol: str) -> tuple[int, int]:
        """See `Driver`."""
        return self._library.variable(module, symbol)

    def allow_shared(self, function: int, size: int) -> None:
        """See `Driver`."""
        self._library.allow_shared(function, size)

    def launch(self, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        """See `Driver`."""
        self._library.launch(settings, arguments, self._handle)

    def record(self) -> Any:
        """See `Driver`."""
        with self._translated():
            return self._cuda.Event().record(self._stream)

    def elapsed_us(self, first: Any, last: Any) -> float:
        """See `Driver`."""
        with self._translated():
            return 1e3 * float(last.time_since(first))

    def synchronize(self) -> None:
        """See `Driver`."""
        self._library.synchronize(self._handle)

    def begin_graph(self) -> None:
        """See `Driver`."""
        self._library.begin_capture(self._handle)

    def end_graph(self) -> int:
        """See `Driver`."""
        return self._library.end_capture(self._handle)

    def launch_graph(self, graph: int) -> None:
        """See `Driver`."""
        self._library.launch_graph(graph, self._handle)

    def drop_graph(self, graph: int) -> None:
        """See `Driver`."""
        self._library.drop_graph(graph)

    def reset_persisting_lines(self) -> None:
        """See `Driver`; GPUs before compute capability 8.0 have none."""
        if self._persisting:
            self._library.reset_persisting_lines()

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except self._cuda.Error as error:
            call, _, text = str(error).partition(" failed: ")
            raise DriverError(self._library.code(str(error)), call, text) from error


def open_driver(index: int) -> PyCudaDriver:
    """Return the GPU of that number in nvidia-smi's order, or the only one that this process sees.

    Raises:
        ImportError: PyCUDA is not installed, or finds no driver.
        DriverError: The GPU cannot be used.
    """
    os.environ.update(_ENVIRONMENT)
    cuda: Any = importlib.import_module("pycuda.driver")
    library = LibCuda.load()
    try:
        cuda.init()
        # A container is given its one GPU as number 0.
        device = cuda.Device(index if cuda.Device.count() > index else 0)
    except cuda.Error as error:
        raise DriverError(library.code(str(error)), "cuInit", str(error)) from error
    driver = PyCudaDriver(cuda, library, device)
    atexit.register(driver.close)
    return driver


def _facts(cuda: Any, device: Any) -> GpuFacts:
    attribute = cuda.device_attribute

    def value(name: str) -> int:
        return int(device.get_attribute(getattr(attribute, name)))

    major, minor = device.compute_capability()
    return GpuFacts(
        name=str(device.name()),
        architecture=f"sm_{major}{minor}",
        driver=int(cuda.get_driver_version()),
        multiprocessors=value("MULTIPROCESSOR_COUNT"),
        l2_bytes=value("L2_CACHE_SIZE"),
        memory_bytes=int(device.total_memory()),
        shared_optin=value("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
        clock_khz=value("CLOCK_RATE"),
        pageable_access=bool(value("PAGEABLE_MEMORY_ACCESS")),
        run_limit=bool(value("KERNEL_EXEC_TIMEOUT")),
        bus_id=str(device.pci_bus_id()),
    )
