"""The CUDA toolkit's compiler, for kernels of ours only: it may read any file, and nothing confines it."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from pathlib import Path

from sandbox.compiler import report
from sandbox.nsight.programs import Ended, ask_async, find_program
from sandbox.program import CompileRequest, CompileResult, Diagnostic, Program

_PRELUDE = "".join(f"#include <{name}>\n" for name in ("cfloat", "climits", "cmath", "cstdint"))
"""What our own prelude brings where there are no host headers."""

_ENVIRONMENT = {"PATH": "/usr/local/cuda/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}


class Nvcc:
    """Compiles by nvcc, to cubin and PTX; kernels are launched by plain names, not by template instances."""

    def __init__(self, program: Path | None = None) -> None:
        """Use this nvcc, or look for one.

        Raises:
            FileNotFoundError: There is none.
        """
        found = program or find_program("nvcc")
        if found is None:
            raise FileNotFoundError("nvcc is not installed; carry programs instead (--programs, docs/gpu.md)")
        self._program = found

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        """Compile one translation unit; each call takes some tenths of a second; here `cpu_s` is a deadline."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / request.file_name).write_text(request.source)
            (folder / "prelude.h").write_text(_PRELUDE)
            built, lowered = await asyncio.gather(
                self._run(folder, request, ["-cubin", "-Xptxas", "-v"], "out.cubin", cpu_s),
                self._run(folder, request, ["-ptx"], "out.ptx", cpu_s),
            )
            if built.status or lowered.status:
                log = (built.output or lowered.output)[-4000:]
                return CompileResult(None, (Diagnostic("error", log[:1000] or "nvcc did not end"),), log)
            ptx = (folder / "out.ptx").read_text()
            return _result(request, ptx, (folder / "out.cubin").read_bytes(), built.output)

    async def _run(
        self, folder: Path, request: CompileRequest, kind: list[str], out: str, deadline_s: float
    ) -> Ended:
        defines = [f"-D{name}={value}" for name, value in request.defines]
        words = [
            str(self._program), *kind, f"-arch={request.architecture}", "-std=c++17", "-lineinfo",
            "-include", "prelude.h", *defines, "-o", out, request.file_name,
        ]  # fmt: skip
        return await ask_async(words, deadline_s=deadline_s, folder=folder, environment=_ENVIRONMENT)

    async def aclose(self) -> None:
        """Nothing to stop."""


def _result(request: CompileRequest, ptx: str, cubin: bytes, log: str) -> CompileResult:
    known = report.entries(ptx)
    symbols = {name: symbol for name in request.kernels if (symbol := _symbol(name, known)) is not None}
    missing = [name for name in request.kernels if name not in symbols]
    if missing:
        text = f"nvcc made no kernel {missing[0]}: template instances need carried programs"
        return CompileResult(None, (Diagnostic("error", text),), log)
    read = report.read(log, report.Sources(request.file_name, (), ()), request.kernels, symbols)
    key = hashlib.sha256(ptx.encode() + cubin).hexdigest()
    program = Program(
        key, request.architecture, ptx, cubin, symbols, read.resources, report.globals_bytes(ptx)
    )
    return CompileResult(program, log=read.log, compiler="nvcc")


def _symbol(name: str, known: frozenset[str]) -> str | None:
    if name in known:
        return name
    mangled = re.compile(rf"_Z{len(name)}{re.escape(name)}(?=[A-Zva-z])")
    return next((symbol for symbol in sorted(known) if mangled.match(symbol)), None)
