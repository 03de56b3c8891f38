"""The compiler without a worker, for kernels of this repository."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from sandbox.compiler.role import CompileRole
from sandbox.compiler.toolkit import find_toolkit
from sandbox.program import CompileRequest, CompileResult
from sandbox.worker.messages import CompileCall


class InProcess:
    def __init__(self) -> None:
        kit = find_toolkit()
        self._role = CompileRole(
            {"nvrtc": [str(kit.library)], "include": [str(path) for path in kit.include]}
        )

    async def compile(self, request: CompileRequest, *, cpu_s: float) -> CompileResult:
        result = self._role.answer(CompileCall(request))
        if result.program is None:
            return result
        key = hashlib.sha256(result.program.ptx.encode()).hexdigest()
        return replace(result, program=replace(result.program, key=key))
