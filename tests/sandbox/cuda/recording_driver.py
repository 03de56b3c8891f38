"""A GPU driver without a GPU: keeps memory, a clock and a record of calls; kernels are Python functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.cuda.driver import Bytes, DriverError, GpuFacts, LaunchSettings
from sandbox.cuda.noise import digest_words, noise_words

FACTS = GpuFacts(
    name="Recorded", architecture="sm_90", driver=13000, multiprocessors=4, l2_bytes=1 << 14, memory_bytes=1 << 30,
    shared_optin=1 << 10, clock_khz=1_500_000, pageable_access=False, run_limit=False,
)  # fmt: skip

Kernel = Callable[["RecordingDriver", LaunchSettings, tuple[bytes, ...]], None]
Cost = Callable[[str, int], float]
"""From a kernel's symbol and how often it ran before to its time, microseconds."""


@dataclass
class RecordingDriver:
    """Implements `sandbox.cuda.driver.Driver`.

    Attributes:
        kernels: By symbol; those of the harness are known.
        cost: Of kernels that are not the harness's.
        fails: Errors by the name of a call: CUresults, one for each further call, 0 for success.
        calls: What was asked, in order: the name and what matters of it.
        deferred: An error that the next synchronisation reports.
    """

    kernels: dict[str, Kernel] = field(default_factory=dict)
    cost: Cost = lambda symbol, times: 10.0
    fails: dict[str, list[int]] = field(default_factory=dict)
    facts: GpuFacts = FACTS
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    memory: dict[int, Bytes] = field(default_factory=dict)
    modules: dict[int, bytes] = field(default_factory=dict)
    functions: list[str] = field(default_factory=lambda: ["none"])
    ran: dict[str, int] = field(default_factory=dict)
    now: float = 0.0
    deferred: int = 0
    lost: int = 0
    recording: list[tuple[LaunchSettings, tuple[bytes, ...]]] | None = None
    graphs: dict[int, list[tuple[LaunchSettings, tuple[bytes, ...]]]] = field(default_factory=dict)
    next_address: int = 1 << 20
    variables: dict[str, tuple[int, int]] = field(default_factory=dict)

    def _note(self, name: str, *what: Any) -> None:
        self.calls.append((name, *what))
        scripted = self.fails.get(name)
        code = self.lost or (scripted.pop(0) if scripted else 0)
        if code:
            raise DriverError(code, name, "scripted")

    def called(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of that name."""
        return [call[1:] for call in self.calls if call[0] == name]

    def launched(self) -> list[str]:
        """The symbols of all launches, in order."""
        return [symbol for symbol, *_ in self.called("launch")]

    def view(self, address: int, size: int) -> Bytes:
        """The bytes there; a KeyError where they are not all of one allocation."""
        base = max(start for start in self.memory if start <= address)
        data = self.memory[base]
        if address + size > base + data.size:
            raise KeyError(f"{size} bytes at {address:#x} are not allocated")
        return data[address - base : address - base + size]

    def allocate(self, size: int) -> int:
        self._note("allocate", size)
        address, self.next_address = self.next_address, self.next_address + (size + 511) // 256 * 256
        self.memory[address] = np.full(size, 0xEE, np.uint8)
        return address

    def free(self, address: int) -> None:
        self._note("free", address)
        del self.memory[address]

    def to_device(self, address: int, data: Bytes) -> None:
        self._note("to_device", address, data.size)
        self.view(address, data.size)[:] = data

    def to_host(self, address: int, size: int) -> Bytes:
        self._note("to_host", address, size)
        self._settle("to_host")
        return self.view(address, size).copy()

    def copy(self, target: int, source: int, size: int) -> None:
        self._note("copy", target, source, size)
        self.view(target, size)[:] = self.view(source, size)

    def fill(self, address: int, word: int, count: int) -> None:
        self._note("fill", address, word, count)
        self.view(address, 4 * count).view(np.uint32)[:] = word

    def load(self, image: bytes) -> int:
        self._note("load", image[:16])
        module = len(self.modules) + 1
        self.modules[module] = image
        return module

    def unload(self, module: int) -> None:
        self._note("unload", module)

    def function(self, module: int, symbol: str) -> int:
        self._note("function", symbol)
        if symbol not in self.kernels and symbol not in HARNESS:
            raise DriverError(500, "function", "named symbol not found")
        if symbol not in self.functions:
            self.functions.append(symbol)
        return self.functions.index(symbol)

    def variable(self, module: int, symbol: str) -> tuple[int, int]:
        self._note("variable", symbol)
        if symbol not in self.variables:
            raise DriverError(500, "variable", "named symbol not found")
        return self.variables[symbol]

    def allow_shared(self, function: int, size: int) -> None:
        self._note("allow_shared", self.functions[function], size)
        if size > self.facts.shared_optin:
            raise DriverError(1, "allow_shared", "invalid argument")

    def launch(self, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        symbol = self.functions[settings.function]
        self._note("launch", symbol, settings)
        if self.recording is not None:
            self.recording.append((settings, arguments))
        else:
            self._execute(settings, arguments)

    def _execute(self, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
        symbol = self.functions[settings.function]
        if symbol in HARNESS:
            self.now += HARNESS[symbol](self, settings, arguments)
            return
        times = self.ran.get(symbol, 0)
        self.ran[symbol] = times + 1
        self.now += self.cost(symbol, times)
        self.kernels[symbol](self, settings, arguments)

    def record(self) -> float:
        self._note("record", self.now)
        return self.now

    def elapsed_us(self, first: float, last: float) -> float:
        return last - first

    def synchronize(self) -> None:
        self._note("synchronize")
        self._settle("synchronize")

    def _settle(self, name: str) -> None:
        if self.deferred:
            self.lost, self.deferred = self.deferred, 0
            raise DriverError(self.lost, name, "scripted")

    def begin_graph(self) -> None:
        self._note("begin_graph")
        self.recording = []

    def end_graph(self) -> int:
        self._note("end_graph")
        assert self.recording is not None
        graph = len(self.graphs) + 1
        self.graphs[graph], self.recording = self.recording, None
        return graph

    def launch_graph(self, graph: int) -> None:
        self._note("launch_graph", graph)
        for settings, arguments in self.graphs[graph]:
            self._execute(settings, arguments)

    def drop_graph(self, graph: int) -> None:
        self._note("drop_graph", graph)
        del self.graphs[graph]

    def reset_persisting_lines(self) -> None:
        self._note("reset_persisting_lines")


def integer(data: bytes) -> int:
    """An integer argument."""
    return int.from_bytes(data, "little")


def _fill(driver: RecordingDriver, settings: LaunchSettings, arguments: Sequence[bytes]) -> float:
    address, count, seed = map(integer, arguments)
    driver.view(address, 4 * count).view(np.uint32)[:] = noise_words(seed, count)
    return 1.0


def _digest(driver: RecordingDriver, settings: LaunchSettings, arguments: Sequence[bytes]) -> float:
    address, count, seed, total = map(integer, arguments)
    words = driver.view(address, 4 * count).view(np.uint32)
    driver.view(total, 8).view(np.uint64)[:] += np.uint64(digest_words(words, seed))
    return 1.0


def _spin(driver: RecordingDriver, settings: LaunchSettings, arguments: Sequence[bytes]) -> float:
    return integer(arguments[0]) / 1e3


def _clock(driver: RecordingDriver, settings: LaunchSettings, arguments: Sequence[bytes]) -> float:
    nanoseconds, cell = map(integer, arguments)
    cycles = nanoseconds * driver.facts.clock_khz // 1_000_000
    driver.view(cell, 16)[:] = np.frombuffer(struct.pack("QQ", cycles, nanoseconds), np.uint8)
    return nanoseconds / 1e3


def _brief(driver: RecordingDriver, settings: LaunchSettings, arguments: Sequence[bytes]) -> float:
    return 2.0


HARNESS: dict[str, Callable[[RecordingDriver, LaunchSettings, Sequence[bytes]], float]] = {
    "ww_fill": _fill, "ww_digest": _digest, "ww_read": _brief, "ww_shared": _brief, "ww_spin": _spin,
    "ww_clock": _clock, "ww_nothing": _brief,
}  # fmt: skip


def doubling(driver: RecordingDriver, settings: LaunchSettings, arguments: tuple[bytes, ...]) -> None:
    """A kernel (x, y, n): y = 2 x, float32."""
    x, y, n = map(integer, arguments)
    driver.view(y, 4 * n).view(np.float32)[:] = 2 * driver.view(x, 4 * n).view(np.float32)
