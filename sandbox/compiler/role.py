"""The worker's side of compiling."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.compiler import headers, report
from sandbox.compiler.nvrtc import Nvrtc, NvrtcAnswer, Unit
from sandbox.program import CompileRequest, CompileResult, Diagnostic, Program
from sandbox.worker.messages import CompileCall

OPTIONS = (
    "-std=c++17", "-default-device", "-device-int128", "-lineinfo", "--ptxas-options=-v",
    f"--pre-include={headers.PRELUDE}",
)  # fmt: skip
"""Options of every compilation; architecture, include folders and defines are added to them."""

_CODE_BYTES = 64 << 20


@dataclass(frozen=True)
class CompileRole:
    """Role `compile`. Reads the resources `nvrtc` (a folder) and `include` (folders)."""

    resources: Mapping[str, list[str]]
    accepts: tuple[type[Any], ...] = (CompileCall,)

    def __post_init__(self) -> None:
        """Load the compiler, so that the first request does not pay for it."""
        object.__setattr__(self, "_nvrtc", Nvrtc(Path(self.resources["nvrtc"][0])))

    def answer(self, call: CompileCall) -> CompileResult:
        """Compile; the key of the program is left to the parent."""
        nvrtc: Nvrtc = self.__dict__["_nvrtc"]
        request = call.request
        os.chdir("/")  # the compiler records its folder; everywhere the same
        version = f"NVRTC {nvrtc.version}"
        if "\0" in request.source:
            line = request.source[: request.source.index("\0")].count("\n") + 1
            return CompileResult(
                None, (Diagnostic("error", "the file holds a NUL character", line),), compiler=version
            )
        include = self.resources["include"]
        supplied = headers.in_memory()
        outcome = nvrtc.compile(_unit(request, include, supplied))
        sources = report.Sources(request.file_name, include, tuple(supplied))
        return _result(request, outcome, sources, version)


def _unit(request: CompileRequest, include: Sequence[str], supplied: Mapping[str, str]) -> Unit:
    architecture = request.architecture
    if not request.assembled:
        architecture = architecture.replace("sm_", "compute_")
    options = [*OPTIONS, f"--gpu-architecture={architecture}", *(f"-I{folder}" for folder in include)]
    options += request.options
    return Unit(
        _source(request).encode(errors="replace"), request.file_name, options, supplied, request.kernels
    )


def _source(request: CompileRequest) -> str:
    """Return the source with its defines where they belong; every line keeps its number."""
    if not request.defines:
        return request.source
    lines = request.source.split("\n")
    before = request.defines_line - 1
    defines = [f"#define {name} {value}" for name, value in request.defines]
    back = f'#line {_number(lines, before, request.file_name)} "{request.file_name}"'
    return "\n".join([*lines[:before], *defines, back, *lines[before:]])


def _number(lines: Sequence[str], index: int, file: str) -> int:
    """The number that a line has by the last `#line` of its file before it."""
    named = re.compile(rf'#line (\d+) "{re.escape(file)}"')
    for back in range(index - 1, -1, -1):
        if found := named.fullmatch(lines[back]):
            return int(found[1]) + index - back - 1
    return index + 1


def _result(
    request: CompileRequest, outcome: NvrtcAnswer, sources: report.Sources, version: str
) -> CompileResult:
    read = report.read(outcome.log, sources, request.kernels, outcome.lowered)
    if outcome.error is not None:
        failed = any(one.severity == "error" for one in read.diagnostics)
        extra = () if failed else (Diagnostic("error", f"the compiler failed: {outcome.error}"),)
        limit = "memory" if outcome.out_of_memory or _ran_out(outcome.log) else None
        what = report.lacking(read.diagnostics)
        return CompileResult(
            None, (*extra, *read.diagnostics), read.log, limit, compiler=version, unsupported=what
        )
    size = len(outcome.ptx) + len(outcome.cubin)
    if size > _CODE_BYTES:
        large = Diagnostic(
            "error", f"the compiled code is {size >> 20} MiB large; {_CODE_BYTES >> 20} MiB are allowed"
        )
        return CompileResult(None, (large,), read.log, "memory", compiler=version)
    ptx = outcome.ptx.decode(errors="replace")
    known = report.entries(ptx)
    wrong = tuple(
        Diagnostic("error", f"the launched `{name}` is no __global__ function of the file")
        for name, symbol in outcome.lowered.items()
        if symbol not in known
    )
    if wrong:
        return CompileResult(None, (*wrong, *read.diagnostics), read.log, compiler=version)
    program = Program(
        key="",
        architecture=request.architecture,
        ptx=report.normalise_ptx(ptx, sources),
        cubin=outcome.cubin,
        symbols=dict(outcome.lowered),
        resources=read.resources,
        globals_bytes=report.globals_bytes(ptx),
    )
    return CompileResult(program, read.diagnostics, read.log, compiler=version)


def _ran_out(log: str) -> bool:
    return re.search(r"error: out of memory|Out of memory", log) is not None
