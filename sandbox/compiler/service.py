"""The parent's side of compiling: cache, one compilation for identical requests, limits as results."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import re
from pathlib import Path

from sandbox.asking import LimitReached, ask_within
from sandbox.closing import AsyncClosing
from sandbox.compiler import headers
from sandbox.compiler.cache import CompileCache
from sandbox.compiler.role import OPTIONS
from sandbox.compiler.toolkit import Toolkit, find_toolkit
from sandbox.errors import UsageError, WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.program import CompileRequest, CompileResult, Diagnostic
from sandbox.quiet import quieter
from sandbox.wire import MessageLimits
from sandbox.worker.messages import CompileCall

MEMORY_BYTES = 4 << 30
"""Address space of a compile worker; about 0.5 GiB of it are libraries."""

CPU_S = 30.0
"""Seconds of processor time that one translation unit may take."""

_REPLY_LIMITS = MessageLimits(header=160 << 20, total=256 << 20)
_NAME = re.compile(r"[A-Za-z_]\w*")
_KERNEL = re.compile(r"[A-Za-z_][^\n\r\0\\#\"';{}]*")
_ARCHITECTURE = re.compile(r"sm_\d{2,3}[af]?")


class Compiler(AsyncClosing):
    """Compiles kernel files in confined workers. Use as an async context manager, or call `aclose`."""

    def __init__(
        self,
        isolation: Isolation,
        *,
        cache: Path | None = None,
        workers: int = 1,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Start nothing yet.

        Args:
            isolation: How the workers are confined.
            cache: Folder of the cache on disk; None for no cache.
            workers: How many compilations may run at once.
            memory_bytes: Limit on a worker's address space.

        Raises:
            MissingDependencyError: NVRTC or CUDA's headers are not installed.
        """
        toolkit = find_toolkit()
        self._identity = _identity(toolkit)
        self._pool = WorkerPool(compile_spec(toolkit, memory_bytes), isolation, size=workers)
        self._cache = CompileCache(cache) if cache is not None else None
        self._running: dict[str, _Shared] = {}

    async def compile(self, request: CompileRequest, *, cpu_s: float = CPU_S) -> CompileResult:
        """Compile, or find what an identical request gave before.

        A failure of the source is a result. So is a limit that was reached: `limit` says which.
        The processor time is that which the first of several identical requests under way may take. Where machine
        code is not asked for, a result that has it will do.

        Raises:
            UsageError: The request holds a name that is none, or an unknown architecture.
            WorkerDiedError: No worker could be started.
        """
        key = self.key(request)
        whole = () if request.assembled else (self.key(dataclasses.replace(request, assembled=True)),)
        for known in (*whole, key):
            found = await asyncio.to_thread(self._cache.get, known) if self._cache else None
            if found is not None:
                return found
        for known in (*whole, key):  # asked last, when who began just before this one is under way
            if (running := self._running.get(known)) is not None:
                return await running.result()
        shared = self._running[key] = _Shared(asyncio.ensure_future(self._run(request, key, cpu_s)))
        shared.task.add_done_callback(lambda _: self._running.pop(key, None))
        return await shared.result()

    def key(self, request: CompileRequest) -> str:
        """Return the content address of a request's result.

        Raises:
            UsageError: As `compile`.
        """
        _check(request)
        parts = [self._identity, *dataclasses.astuple(request)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    async def warm(self) -> None:
        """Start a worker ahead of the first request."""
        await self._pool.warm()

    async def aclose(self) -> None:
        """Stop the workers; safe to call twice."""
        await self._pool.aclose()
        if self._cache:
            await asyncio.to_thread(self._cache.prune)

    async def _run(self, request: CompileRequest, key: str, cpu_s: float) -> CompileResult:
        result = await self._ask(request, cpu_s)
        if result.program is not None:
            result = dataclasses.replace(result, program=dataclasses.replace(result.program, key=key))
        if self._cache and result.limit is None and result.compiler:
            await asyncio.to_thread(self._cache.put, key, result)
        return result

    async def _ask(self, request: CompileRequest, cpu_s: float) -> CompileResult:
        for last in (False, True):
            try:
                answer = await ask_within(
                    cpu_s, self._pool, CompileCall(request), CompileResult, limits=_REPLY_LIMITS
                )
            except WorkerDiedError:
                # Once may be the machine's fault, twice is the file's; but only if workers start at all.
                if last:
                    await self._pool.warm()
                continue
            if not isinstance(answer, LimitReached):
                return answer
            if last or answer.limit in {"processor time", "memory"}:
                return _limited(answer, cpu_s)
            await quieter()
        return CompileResult(None, (Diagnostic("error", "the compiler crashed on this file, twice"),))


class _Shared:
    """One compilation that several callers wait for; it is cancelled when the last of them is."""

    def __init__(self, task: asyncio.Task[CompileResult]) -> None:
        self.task = task
        self._waiting = 0

    async def result(self) -> CompileResult:
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self.task.done():
                self.task.cancel()


def compile_spec(toolkit: Toolkit, memory_bytes: int = MEMORY_BYTES) -> WorkerSpec:
    """Return what a compile worker is: it sees the compiler and the headers, and nothing else of the host."""
    return WorkerSpec(
        "compile", memory_bytes, packages=("numpy", "cuda.bindings", "cuda.pathfinder"),
        resources=(("nvrtc", (toolkit.library,)), ("include", toolkit.include)),
    )  # fmt: skip


def _limited(reached: LimitReached, cpu_s: float) -> CompileResult:
    if reached.limit == "memory":
        text = "the compiler ran out of memory: look for huge arrays, and for what expands without end"
        return CompileResult(None, (Diagnostic("error", text),), limit="memory")
    if reached.limit != "processor time":
        text = (
            f"not compiled: {reached.said}, twice; try again when this machine has less to do, or more memory"
        )
        return CompileResult(None, (Diagnostic("error", text),), limit="lost")
    advice = (
        "look for templates, constexpr functions or macros that expand without end, loops that are unrolled "
        "too often, and huge arrays with initial values"
    )
    text = f"the compiler was stopped after {cpu_s:g} s of processor time: {advice}"
    return CompileResult(None, (Diagnostic("error", text),), limit="deadline")


def _identity(toolkit: Toolkit) -> str:
    supplied = json.dumps([OPTIONS, headers.in_memory()], sort_keys=True)
    return f"{toolkit.version} {hashlib.sha256(supplied.encode()).hexdigest()}"


def _check(request: CompileRequest) -> None:
    if not _ARCHITECTURE.fullmatch(request.architecture):
        raise UsageError(f"unknown architecture {request.architecture!r}: expected a name such as sm_90")
    for name, value in request.defines:
        if not _NAME.fullmatch(name) or not value.isprintable():
            raise UsageError(
                f"{name!r} = {value!r:.60} cannot be a macro: expected a name and a one-line value"
            )
    for kernel in request.kernels:
        if not _KERNEL.fullmatch(kernel):
            raise UsageError(
                f"{kernel!r:.60} cannot be a kernel's name: expected a name or a template instance"
            )
    if not re.fullmatch(r"[\w.-]+", request.file_name):
        raise UsageError(
            f"{request.file_name!r:.60} cannot name the kernel file: expected a name without a path"
        )
