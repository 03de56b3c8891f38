"""The calls of the CUDA driver that PyCUDA has not: launches with attributes, modules, graphs, the L2's lines.

They act on the context that PyCUDA made current. Layouts are those of cuda.h 13.0 on 64-bit machines.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int, c_uint, c_void_p
from typing import Any

from sandbox.cuda.driver import DriverError, LaunchSettings

LIBRARY = "libcuda.so.1"

_ATTRIBUTE_COOPERATIVE = 2
_ATTRIBUTE_CLUSTER = 4
_MAX_DYNAMIC_SHARED = 8
_CAPTURE_THREAD_LOCAL = 1
_LIMIT_PERSISTING = 6
_CODES = range(1000)


class LaunchAttribute(ctypes.Structure):
    """CUlaunchAttribute: an identifier, and a union of 64 bytes at offset 8."""

    _fields_ = [("id", c_uint), ("pad", c_uint), ("value", c_uint * 16)]


class LaunchConfig(ctypes.Structure):
    """CUlaunchConfig."""

    _fields_ = [
        ("grid", c_uint * 3), ("block", c_uint * 3), ("shared_bytes", c_uint), ("stream", c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)), ("attribute_count", c_uint),
    ]  # fmt: skip


class LibCuda:
    """Calls `library`, a `ctypes.CDLL` of the driver, with checks."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._texts: dict[str, int] = {}

    @classmethod
    def load(cls) -> LibCuda:
        """Load the machine's driver.

        Raises:
            OSError: There is none.
        """
        return cls(ctypes.CDLL(LIBRARY))

    def call(self, name: str, *arguments: object) -> None:
        """Call a function of the driver.

        Raises:
            DriverError: It failed.
        """
        status = int(getattr(self._library, name)(*arguments))
        if status:
            raise DriverError(status, name, self.text(status))

    def text(self, code: int) -> str:
        """Return the driver's own words for an error."""
        found = c_char_p()
        if self._library.cuGetErrorString(c_int(code), byref(found)) or found.value is None:
            return "unknown error"
        return found.value.decode(errors="replace")

    def code(self, text: str) -> int:
        """Return the error whose words appear in a message of PyCUDA's, which does not tell the number; else 999."""
        if not self._texts:
            self._texts = {self.text(code): code for code in _CODES if self.text(code) != "unknown error"}
        said = text.partition(" failed: ")[2]
        matches = [known for known in self._texts if said.startswith(known)]
        return self._texts[max(matches, key=len)] if matches else 999

    def load_module(self, image: bytes) -> int:
        """Call cuModuleLoadData."""
        module = c_void_p()
        self.call("cuModuleLoadData", byref(module), c_char_p(image))
        return module.value or 0

    def unload_module(self, module: int) -> None:
        """Call cuModuleUnload."""
        self.call("cuModuleUnload", c_void_p(module))

    def function(self, module: int, symbol: str) -> int:
        """Call cuModuleGetFunction."""
        function = c_void_p()
        self.call("cuModuleGetFunction", byref(function), c_void_p(module), c_char_p(symbol.encode()))
        return function.value or 0

    def variable(self, module: int, symbol: str) -> tuple[int, int]:
        """Call cuModuleGetGlobal: address and bytes of a variable."""
        address, size = c_void_p(), ctypes.c_size_t()
        named = c_char_p(symbol.encode())
        self.call("cuModuleGetGlobal_v2", byref(address), byref(size), c_void_p(module), named)
        return address.value or 0, size.value

    def allow_shared(self, function: int, size: int) -> None:
        """Call cuFuncSetAttribute, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES."""
        self.call("cuFuncSetAttribute", c_void_p(function), c_int(_MAX_DYNAMIC_SHARED), c_int(size))

    def launch(self, settings: LaunchSettings, arguments: tuple[bytes, ...], stream: int) -> None:
        """Call cuLaunchKernelEx; the driver copies the arguments."""
        config = launch_config(settings, stream)
        kept = [ctypes.create_string_buffer(argument, len(argument)) for argument in arguments]
        pointers = (c_void_p * max(1, len(kept)))(*(ctypes.addressof(one) for one in kept))
        self.call("cuLaunchKernelEx", byref(config), c_void_p(settings.function), pointers, None)

    def synchronize(self, stream: int) -> None:
        """Call cuStreamSynchronize."""
        self.call("cuStreamSynchronize", c_void_p(stream))

    def begin_capture(self, stream: int) -> None:
        """Call cuStreamBeginCapture, for this thread's calls alone."""
        self.call("cuStreamBeginCapture_v2", c_void_p(stream), c_int(_CAPTURE_THREAD_LOCAL))

    def end_capture(self, stream: int) -> int:
        """Call cuStreamEndCapture and cuGraphInstantiateWithFlags; the graph itself is given back."""
        graph, ready = c_void_p(), c_void_p()
        self.call("cuStreamEndCapture", c_void_p(stream), byref(graph))
        try:
            self.call("cuGraphInstantiateWithFlags", byref(ready), graph, ctypes.c_ulonglong(0))
        finally:
            self.call("cuGraphDestroy", graph)
        return ready.value or 0

    def launch_graph(self, graph: int, stream: int) -> None:
        """Call cuGraphLaunch."""
        self.call("cuGraphLaunch", c_void_p(graph), c_void_p(stream))

    def drop_graph(self, graph: int) -> None:
        """Call cuGraphExecDestroy."""
        self.call("cuGraphExecDestroy", c_void_p(graph))

    def forbid_persisting_lines(self) -> None:
        """Call cuCtxSetLimit, CU_LIMIT_PERSISTING_L2_CACHE_SIZE: no part of the L2 is set aside."""
        self.call("cuCtxSetLimit", c_int(_LIMIT_PERSISTING), ctypes.c_size_t(0))

    def reset_persisting_lines(self) -> None:
        """Call cuCtxResetPersistingL2Cache."""
        self.call("cuCtxResetPersistingL2Cache")


def launch_config(settings: LaunchSettings, stream: int) -> LaunchConfig:
    """Return a CUlaunchConfig; it keeps its attributes alive."""
    attributes: list[LaunchAttribute] = []
    if settings.cooperative:
        attributes.append(LaunchAttribute(_ATTRIBUTE_COOPERATIVE, 0, (c_uint * 16)(1)))
    if settings.cluster is not None:
        attributes.append(LaunchAttribute(_ATTRIBUTE_CLUSTER, 0, (c_uint * 16)(*settings.cluster)))
    array = (LaunchAttribute * max(1, len(attributes)))(*attributes)
    return LaunchConfig(
        (c_uint * 3)(*settings.grid), (c_uint * 3)(*settings.block), settings.shared_bytes, stream,
        ctypes.cast(array, ctypes.POINTER(LaunchAttribute)) if attributes else None, len(attributes),
    )  # fmt: skip
