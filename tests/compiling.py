"""The compiler without a worker, for kernels of this repository: each is compiled once in a whole run of tests.

What was compiled lies in a folder that all of pytest's processes share, under the product's own content address.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path

from sandbox.compiler.cache import CompileCache
from sandbox.compiler.nvrtc import Nvrtc, NvrtcAnswer, Unit
from sandbox.compiler.role import CompileRole
from sandbox.compiler.service import Compiler
from sandbox.compiler.toolkit import find_toolkit
from sandbox.isolation.process import ProcessIsolation
from sandbox.program import CompileRequest, CompileResult, Program
from sandbox.worker.messages import CompileCall

SHARED = "WARPWRIGHT_TESTS_COMPILED"
"""The environment variable that names the shared folder; `tests/conftest.py` sets it."""


_NAMED_CUDA = re.compile(rb"\bcuda[A-Z_]|\btex|\bsurf|<<<")
"""What needs the part of the language that `--minimal` leaves out; without it a compilation is a fifth shorter."""
_UNNAMED = re.compile(rb"//.*|#include <cuda_(fp16|bf16|fp8)\.h>")
"""What names nothing of it: a kernel file's launches are comments, and these headers read the same without it."""
_LARGE = re.compile(rb"#include <(cooperative_groups|cub/|cuda/)")
"""Headers that take a second to read."""
_OPENING = re.compile(rb"(?:[ \t]*(?://.*|#include .*)?\n)*")
"""What a source begins with: comments, blank lines and headers."""


class _Hurried(Nvrtc):
    """Leaves out what a source has no use for, and reads large headers once in a process (`--pch`)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._kept = tempfile.mkdtemp(prefix="headers-", dir=os.environ[SHARED])

    def compile(self, unit: Unit) -> NvrtcAnswer:
        if not _LARGE.search(unit.source):
            small = (
                unit
                if _NAMED_CUDA.search(_UNNAMED.sub(b"", unit.source))
                else replace(unit, options=[*unit.options, "--minimal"])
            )
            return super().compile(small)
        options = ["--pch", f"--pch-dir={self._kept}", "--pch-messages=false", "--diag-suppress=20283"]
        return super().compile(replace(unit, source=_marked(unit), options=[*unit.options, *options]))


def _marked(unit: Unit) -> bytes:
    """Say where the headers end: else what was read of them serves no source that has other defines behind them."""
    opening = _OPENING.match(unit.source)
    headers = b"" if opening is None else opening[0]
    if b"#include" not in headers:
        return unit.source
    end = headers.index(b"\n", headers.rindex(b"#include")) + 1
    after = headers.count(b"\n", 0, end) + 1
    mark = f'#pragma nv_hdrstop\n#line {after} "{unit.file_name}"\n'
    return unit.source[:end] + mark.encode() + unit.source[end:]


@cache
def _role() -> CompileRole:
    toolkit = find_toolkit()
    resources = {"nvrtc": [str(toolkit.library)], "include": [str(path) for path in toolkit.include]}
    role = CompileRole(resources)
    object.__setattr__(role, "_nvrtc", _Hurried(toolkit.library))
    return role


@cache
def _service() -> Compiler:
    return Compiler(ProcessIsolation())


def _answer(request: CompileRequest) -> CompileResult:
    with chdir("/"):  # the role goes there and stays: in a worker nothing else needs a folder
        return _role().answer(CompileCall(request))


@cache
def compiled(request: CompileRequest, *, assembled: bool = True) -> CompileResult:
    """Compile a request, or find what it gave before.

    Args:
        request: As the product's compiler takes it.
        assembled: False where a test needs no machine code, whatever the request says.
    """
    request = replace(request, assembled=request.assembled and assembled)
    key = _service().key(request)
    kept = CompileCache(Path(os.environ[SHARED]))
    if (found := kept.get(key)) is not None:
        return replace(found, cached=False)
    result = _answer(request)
    if result.program is not None:
        result = replace(result, program=replace(result.program, key=key))
    kept.put(key, result)
    return result


def program(
    source: str, kernels: tuple[str, ...], architecture: str = "sm_90", *, assembled: bool = True
) -> Program:
    """Compile a source without defines; fails the test where the compiler refuses it."""
    result = compiled(CompileRequest(source, architecture, (), kernels), assembled=assembled)
    assert result.program is not None, result.log
    return result.program


class InProcess:
    """The compiler of a toolbox or a stage, in this process."""

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        """Compile; the deadline is not kept, for what is compiled here has an end."""
        return compiled(request)

    async def aclose(self) -> None:
        """There is nothing to stop."""
