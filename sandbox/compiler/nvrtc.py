"""NVRTC through cuda-bindings: one compilation, and what came of it. Runs in the worker only."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

_OUT_OF_MEMORY = 1


@dataclass(frozen=True)
class Unit:
    """What to compile: source, options, headers in memory, and names to look up afterwards."""

    source: bytes
    file_name: str
    options: Sequence[str]
    headers: Mapping[str, str]
    names: Sequence[str]


@dataclass(frozen=True)
class NvrtcAnswer:
    """What NVRTC said.

    Attributes:
        log: Its whole text.
        error: None on success, else NVRTC's name of the failure.
        out_of_memory: It stopped because memory ran out.
        lowered: Name expression to symbol; a name that is not there is missing.
    """

    log: str
    error: str | None = None
    out_of_memory: bool = False
    ptx: bytes = b""
    cubin: bytes = b""
    lowered: Mapping[str, str] = field(default_factory=dict[str, str])


class NvrtcError(RuntimeError):
    """NVRTC refused a call that cannot fail on account of the source."""


class Nvrtc:
    """The loaded library."""

    def __init__(self, folder: Path) -> None:
        """Load NVRTC from this folder, and no other that may be on the machine."""
        # The built-ins too: NVRTC would look for them through /proc, and there is none.
        for pattern in ("libnvrtc-builtins.so.*", "libnvrtc.so.*"):
            for library in sorted(folder.glob(pattern)):
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
        # cuda-bindings carries no types; this class is its typed face.
        self._api: Any = importlib.import_module("cuda.bindings.nvrtc")
        self.version = ".".join(str(part) for part in self._call("nvrtcVersion"))

    def compile(self, unit: Unit) -> NvrtcAnswer:
        """Compile one unit; a failure of the source is an outcome.

        Raises:
            MemoryError: NVRTC ran out of memory before it could compile.
            NvrtcError: NVRTC refused a call.
        """
        headers = [(name.encode(), text.encode()) for name, text in unit.headers.items()]
        (program,) = self._call(
            "nvrtcCreateProgram", unit.source, unit.file_name.encode(), len(headers),
            [text for _, text in headers], [name for name, _ in headers],
        )  # fmt: skip
        try:
            return self._compile(program, unit)
        finally:
            self._api.nvrtcDestroyProgram(program)

    def _compile(self, program: Any, unit: Unit) -> NvrtcAnswer:
        for name in unit.names:
            self._call("nvrtcAddNameExpression", program, name.encode())
        options = [option.encode() for option in unit.options]
        status = self._api.nvrtcCompileProgram(program, len(options), options)[0]
        log = self._text("nvrtcGetProgramLogSize", "nvrtcGetProgramLog", program).rstrip(b"\0 ")
        text = log.decode(errors="replace")
        if int(status):
            memory = int(status) == _OUT_OF_MEMORY
            return NvrtcAnswer(text, error=str(status.name), out_of_memory=memory)
        return NvrtcAnswer(
            text,
            ptx=self._text("nvrtcGetPTXSize", "nvrtcGetPTX", program).rstrip(b"\0"),
            cubin=self._text("nvrtcGetCUBINSize", "nvrtcGetCUBIN", program),
            lowered={name: self._lowered(program, name) for name in unit.names},
        )

    def _lowered(self, program: Any, name: str) -> str:
        (symbol,) = self._call("nvrtcGetLoweredName", program, name.encode())
        return cast("bytes", symbol).decode()

    def _text(self, size_call: str, call: str, program: Any) -> bytes:
        (size,) = self._call(size_call, program)
        buffer = bytes(bytearray(size))  # a fresh object: NVRTC writes into it
        self._call(call, program, buffer)
        return buffer

    def _call(self, name: str, *arguments: object) -> tuple[Any, ...]:
        status, *values = getattr(self._api, name)(*arguments)
        if int(status) == _OUT_OF_MEMORY:
            raise MemoryError("the compiler ran out of memory")
        if int(status):
            raise NvrtcError(f"{name} failed: {status.name}")
        return tuple(values)
