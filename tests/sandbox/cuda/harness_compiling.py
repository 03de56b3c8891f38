"""The harness's own kernels, compiled by the real compiler."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import sandbox.cuda
from sandbox.compiler.role import CompileRole
from sandbox.compiler.toolkit import find_toolkit
from sandbox.program import CompileRequest, Program
from sandbox.worker.messages import CompileCall

HARNESS = Path(next(iter(sandbox.cuda.__path__)))
KERNELS = ("ww_fill", "ww_digest", "ww_read", "ww_shared", "ww_spin", "ww_clock", "ww_nothing")


@cache
def _compiler() -> CompileRole:
    toolkit = find_toolkit()
    return CompileRole({"nvrtc": [str(toolkit.library)], "include": [str(path) for path in toolkit.include]})


@cache
def compiled(source: str, kernels: tuple[str, ...], architecture: str) -> Program:
    answer = _compiler().answer(CompileCall(CompileRequest(source, architecture, (), kernels)))
    assert answer.program is not None, answer.log
    return replace(answer.program, key=hashlib.sha256(answer.program.ptx.encode()).hexdigest())


def without_lines(ptx: str) -> str:
    """PTX without comments and debug directives."""
    ptx = re.sub(r"^\s*\.section.*?^\s*}\s*$", "", ptx, flags=re.M | re.S)
    kept = (re.sub(r"//.*", "", line).rstrip() for line in ptx.splitlines())
    return "\n".join(line for line in kept if line and not re.match(r"\s*\.(loc|file)\b", line)) + "\n"
