"""The driver by PyCUDA, before modules that record what is asked of them."""

from __future__ import annotations

import ctypes
import gc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sandbox.cuda.driver import DriverError, LaunchSettings
from sandbox.cuda.libcuda import LibCuda, launch_config
from sandbox.cuda.pycuda_driver import PyCudaDriver

WORDS = {1: b"invalid argument", 2: b"out of memory", 700: b"an illegal memory access was encountered"}


class Library:
    """A `ctypes.CDLL` of the driver: every call succeeds unless `fails` says otherwise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: dict[str, int] = {}
        self.values: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        if name == "cuGetErrorString":
            return self._text

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name == "cuLaunchKernelEx":
                pointers = arguments[2]
                self.values = [ctypes.string_at(pointer, 4) for pointer in pointers if pointer]
            return self.fails.get(name, 0)

        return call

    def _text(self, code: Any, found: Any) -> int:
        if code.value not in WORDS:
            return 1
        found._obj.value = WORDS[code.value]
        return 0


class CudaError(Exception):
    pass


class Allocation:
    def __init__(self, address: int) -> None:
        self.address = address
        self.freed = False

    def __int__(self) -> int:
        return self.address

    def free(self) -> None:
        self.freed = True


class Event:
    def record(self, stream: Any) -> Event:
        self.stream = stream
        return self

    def time_since(self, other: Event) -> float:
        return 0.25


class Cuda(SimpleNamespace):
    """`pycuda.driver`, as far as it is used (PyCUDA 2026.1, src/wrapper/wrap_cudadrv.cpp)."""

    def __init__(self) -> None:
        self.copies: list[tuple[str, int, int]] = []
        names = [
            "MULTIPROCESSOR_COUNT",
            "L2_CACHE_SIZE",
            "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN",
            "CLOCK_RATE",
            "PAGEABLE_MEMORY_ACCESS",
            "KERNEL_EXEC_TIMEOUT",
        ]
        super().__init__(
            Error=CudaError,
            Event=Event,
            Stream=lambda: SimpleNamespace(handle=5),
            Context=SimpleNamespace(set_limit=lambda *_: None),
            limit=SimpleNamespace(PRINTF_FIFO_SIZE=1),
            device_attribute=SimpleNamespace(**{name: name for name in names}),
            get_driver_version=lambda: 13000,
            mem_alloc=Allocation,
            memcpy_htod=lambda address, data: self.copies.append(("in", address, data.size)),
            memcpy_dtoh=self._out,
        )

    def _out(self, data: Any, address: int) -> None:
        if address == 0xBAD:
            raise CudaError("cuMemcpyDtoH failed: an illegal memory access was encountered")
        data[:] = 7


class Context:
    detached = False

    def detach(self) -> None:
        self.detached = True


class Device:
    def __init__(self, capability: tuple[int, int] = (9, 0)) -> None:
        self.compute_capability = lambda: capability
        self.name = lambda: "NVIDIA Recorded"
        self.total_memory = lambda: 1 << 30
        self.pci_bus_id = lambda: "0000:01:00.0"
        self.contexts: list[Context] = []
        self.make_context = self._make_context

    def _make_context(self) -> Context:
        self.contexts.append(Context())
        return self.contexts[-1]

    def get_attribute(self, name: str) -> int:
        return {"PAGEABLE_MEMORY_ACCESS": 1, "KERNEL_EXEC_TIMEOUT": 0}.get(name, 132)


def opened(capability: tuple[int, int] = (9, 0)) -> tuple[PyCudaDriver, Library, Cuda]:
    library, cuda = Library(), Cuda()
    return PyCudaDriver(cuda, LibCuda(library), Device(capability)), library, cuda


def test_a_launch_configuration_has_the_layout_of_cuda_h_and_keeps_its_attributes() -> None:
    settings = LaunchSettings(1, (4, 2, 1), (32, 3, 1), 99, cooperative=True, cluster=(2, 1, 1))
    config = launch_config(settings, 0x1234)
    gc.collect()
    assert ctypes.sizeof(config) == 56
    assert ctypes.sizeof(config.attributes.contents) == 72
    raw = np.frombuffer(ctypes.string_at(ctypes.addressof(config), 56), np.uint32)
    assert raw[:7].tolist() == [4, 2, 1, 32, 3, 1, 99]
    assert int(raw[8:10].view(np.uint64)[0]) == 0x1234
    assert raw[12] == 2
    attributes = [(config.attributes[i].id, list(config.attributes[i].value[:3])) for i in range(2)]
    assert attributes == [(2, [1, 0, 0]), (4, [2, 1, 1])]
    plain = launch_config(LaunchSettings(1, (1, 1, 1), (1, 1, 1), 0), 0)
    assert (plain.attribute_count, bool(plain.attributes)) == (0, False)


def test_facts_are_read_from_the_device() -> None:
    driver, _, _ = opened()
    facts = driver.facts
    assert (facts.architecture, facts.driver, facts.multiprocessors) == ("sm_90", 13000, 132)
    assert (facts.pageable_access, facts.run_limit) == (True, False)


def test_a_context_that_cannot_be_made_ready_is_taken_off_the_stack() -> None:
    library, device = Library(), Device()
    library.fails["cuCtxSetLimit"] = 1
    with pytest.raises(DriverError, match="invalid argument"):
        PyCudaDriver(Cuda(), LibCuda(library), device)
    assert [context.detached for context in device.contexts] == [True]


def test_arguments_reach_the_driver_by_pointers_to_their_bytes() -> None:
    driver, library, _ = opened()
    settings = LaunchSettings(1, (1, 1, 1), (1, 1, 1), 0)
    driver.launch(settings, (b"\1\0\0\0", b"\2\0\0\0"))
    assert library.values == [b"\1\0\0\0", b"\2\0\0\0"]


def test_errors_of_the_driver_and_of_pycuda_carry_the_number() -> None:
    driver, library, _ = opened()
    library.fails["cuLaunchKernelEx"] = 1
    with pytest.raises(DriverError, match="invalid argument") as refused:
        driver.launch(LaunchSettings(1, (1, 1, 1), (1, 1, 1), 0), ())
    assert refused.value.code == 1
    with pytest.raises(DriverError, match="cuMemcpyDtoH: an illegal") as lost:
        driver.to_host(0xBAD, 4)
    assert lost.value.code == 700


def test_words_that_are_not_known_are_an_unknown_error() -> None:
    assert LibCuda(Library()).code("cuFoo failed: words of a newer driver") == 999
    assert LibCuda(Library()).code("cuFoo failed: out of memory - and more") == 2


def test_memory_is_kept_until_it_is_freed_and_copies_are_of_bytes() -> None:
    driver, _, cuda = opened()
    address = driver.allocate(4096)
    driver.to_device(address, np.zeros(16, np.uint8))
    driver.to_device(address, np.zeros(0, np.uint8))
    assert cuda.copies == [("in", 4096, 16)]
    assert driver.to_host(address, 3).tolist() == [7, 7, 7]
    driver.free(address)
    with pytest.raises(KeyError):
        driver.free(address)


def test_times_are_microseconds() -> None:
    driver, _, _ = opened()
    assert driver.elapsed_us(driver.record(), driver.record()) == 250.0


def test_persisting_lines_are_forbidden_and_reset_where_the_gpu_has_them() -> None:
    for capability, calls in (((9, 0), ["cuCtxSetLimit", "cuCtxResetPersistingL2Cache"]), ((7, 5), [])):
        driver, library, _ = opened(capability)
        driver.reset_persisting_lines()
        assert library.calls == calls


def test_a_graph_is_recorded_made_ready_and_its_draft_given_back() -> None:
    driver, library, _ = opened((7, 5))
    driver.begin_graph()
    driver.launch_graph(driver.end_graph())
    assert library.calls == [
        "cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphDestroy",
        "cuGraphLaunch",
    ]  # fmt: skip
