"""One worker process as the parent sees it: start it, ask it, kill it on deadline, reap it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from sandbox import codec
from sandbox.async_channel import AsyncChannel
from sandbox.errors import WorkerDeadlineError, WorkerDiedError, WorkerError
from sandbox.isolation.base import Isolation, WorkerSpec, has_terminal
from sandbox.spans import RECEIVED_BYTES, SENT_BYTES, span
from sandbox.tracing import trace
from sandbox.wire import EndOfStreamError, MessageLimits
from sandbox.worker.messages import CpuAllowance, Failure, FailureKind, Ready

T = TypeVar("T")

_START_SECONDS = 300.0
_REAP_SECONDS = 0.5
_CLOSE_SECONDS = 5.0
_OUTPUT_BYTES = 16 << 10
_READ_BYTES = 64 << 10
REQUEST_LIMITS = MessageLimits()
REPLY_LIMITS = MessageLimits(header=32 << 20, total=2 << 30)


class WorkerMemoryError(WorkerDiedError):
    """The worker reached its memory limit (or the kernel ran out of memory) while it served the request."""


class WorkerKilledError(WorkerMemoryError):
    """Something killed the worker: nobody but the kernel does, when the machine's memory is short."""


class WorkerSpentError(WorkerError):
    """The worker took all the processor time that its answer might take."""


class WorkerFailedError(WorkerError):
    """The worker reported a bug of ours; the text is its traceback."""


class Worker:
    """One worker process and the private socket to it. It serves one request at a time."""

    def __init__(
        self, role: str, process: asyncio.subprocess.Process, connection: socket.socket, output: int
    ) -> None:
        """Use `Worker.start`."""
        self._role = role
        self._process = process
        self._socket = connection
        self._channel = AsyncChannel(connection)
        self._output = _Output(output)
        self._reaped = asyncio.ensure_future(self._wait())
        self.served = 0
        self.ended = False
        """Whether it was told to end, or killed."""

    @classmethod
    async def start(cls, spec: WorkerSpec, isolation: Isolation) -> Worker:
        """Start a worker and wait until it is confined and ready.

        Raises:
            WorkerDiedError: It ended or hung before it was ready; the text holds what it printed.
            MissingDependencyError: A package that its role needs is not installed.
        """
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        with contextlib.ExitStack() as stack:
            undo = stack.enter_context(contextlib.ExitStack())
            stack.callback(os.close, writing)
            stack.enter_context(theirs)
            undo.callback(os.close, reading)
            undo.enter_context(ours)
            ours.setblocking(False)
            command = isolation.command(spec, theirs.fileno())
            apart: dict[str, Any] = {"start_new_session": True} if has_terminal() else {"process_group": 0}
            spawning = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *command.argv, env=command.environment, stdin=asyncio.subprocess.DEVNULL, stdout=writing,
                    stderr=writing, pass_fds=(theirs.fileno(),), cwd="/", **apart,
                )
            )  # fmt: skip
            process = await _whole(spawning)
            worker = cls(spec.role, process, ours, reading)
            undo.pop_all()
        try:
            await worker._exchange([], (Ready,), _START_SECONDS, REPLY_LIMITS)
        except WorkerDeadlineError as error:
            raise WorkerDiedError(
                f"the {spec.role} worker was not ready after {_START_SECONDS:.0f} s"
            ) from error
        return worker

    @property
    def pid(self) -> int:
        """Process id of the worker, or of the bubblewrap process that owns it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return not self._reaped.done()

    @property
    def waiting(self) -> bool:
        """Whether it waits for a request: it is there, and its end of the socket is open and silent.

        A container's process goes before the client that holds its socket is reaped.
        """
        if not self.alive or self._socket.fileno() < 0:
            return False
        heard = select.poll()
        heard.register(self._socket, select.POLLIN | select.POLLRDHUP)
        return not heard.poll(0)

    async def request(
        self,
        call: object,
        *accepted: type[T],
        deadline_s: float,
        cpu_s: float | None = None,
        limits: MessageLimits = REPLY_LIMITS,
    ) -> T:
        """Ask, and wait for the answer; after any exception the worker is dead.

        Args:
            call: A dataclass that the worker's role accepts.
            accepted: Dataclasses that may come back.
            deadline_s: Seconds until the worker is killed.
            cpu_s: Seconds of processor time that the answer may take; None for as much as it likes.
            limits: How long the reply may be.

        Raises:
            WorkerDeadlineError: No answer before the deadline.
            WorkerSpentError: The answer took more processor time than it might.
            WorkerMemoryError: The worker reached its memory limit.
            WorkerDiedError: The worker ended before it answered.
            WorkerProtocolError: The worker sent something else than an answer.
            WorkerFailedError: The worker met a bug of ours.
        """
        self.served += 1
        calls = [call] if cpu_s is None else [CpuAllowance(cpu_s), call]
        reply = await self._traced(calls, (*accepted, Failure), deadline_s, limits)
        if not isinstance(reply, Failure):
            return reply
        await self.kill()
        if reply.kind is FailureKind.MEMORY:
            raise WorkerMemoryError(f"the worker reached its memory limit: {reply.message:.300}")
        raise WorkerFailedError(f"the worker failed:\n{reply.message:.8000}")

    async def _traced(
        self,
        calls: Sequence[object],
        accepted: tuple[type[Any], ...],
        deadline_s: float,
        limits: MessageLimits,
    ) -> Any:
        started, sent, received = time.monotonic(), self._channel.sent, self._channel.received
        failure = ""
        with span(f"worker {self._role}") as told:
            try:
                return await self._exchange(calls, accepted, deadline_s, limits)
            except BaseException as error:
                failure = type(error).__name__
                raise
            finally:
                seconds = time.monotonic() - started
                sent, received = self._channel.sent - sent, self._channel.received - received
                told.set_attribute(SENT_BYTES, sent)
                told.set_attribute(RECEIVED_BYTES, received)
                trace(self._role, sent, received, seconds, failure)

    async def _exchange(
        self,
        calls: Sequence[object],
        accepted: tuple[type[Any], ...],
        deadline_s: float,
        limits: MessageLimits,
    ) -> Any:
        try:
            async with asyncio.timeout(deadline_s):
                for call in calls:
                    await self._channel.send(codec.to_message(call), REQUEST_LIMITS)
                return codec.from_message(await self._channel.receive(limits), *accepted)
        except TimeoutError as error:
            await self.kill()
            raise WorkerDeadlineError(f"no answer within {deadline_s:g} s") from error
        except (EndOfStreamError, ConnectionError) as error:
            by_itself = await self._end(grace_s=_CLOSE_SECONDS)
            raise (self._death() if by_itself else self._silence()) from error
        except BaseException:
            await self.kill()
            raise

    def _silence(self) -> WorkerError:
        return WorkerDiedError(f"the worker closed its socket and did not end{self._said()}")

    def _death(self) -> WorkerError:
        status = self._process.returncode
        printed = self._output.text()
        memory = any(
            sign in printed for sign in ("out of memory", "bad_alloc", "MemoryError", "Cannot allocate")
        )
        # 128 more: bubblewrap's way to pass on a signal.
        if status in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
            return WorkerSpentError("the worker took all the processor time that it might")
        if status in (-signal.SIGKILL, 128 + signal.SIGKILL):
            return WorkerKilledError(
                "the worker was killed, as the kernel does when the machine's memory is short"
            )
        if memory:
            return WorkerMemoryError("the worker ran out of memory")
        return WorkerDiedError(f"the worker ended before it answered (status {status}){self._said()}")

    def _said(self) -> str:
        printed = self._output.text()
        return f"; it printed: {printed[-2000:]}" if printed else ""

    async def kill(self) -> None:
        """Kill the process and all it started, and reap it; safe to call twice."""
        await self._end(grace_s=0.0)

    async def aclose(self) -> None:
        """Let the worker end by itself, or kill it after a short while; safe to call twice."""
        self._socket.close()
        await self._end(grace_s=_REAP_SECONDS)

    def signal(self) -> None:
        """Kill the process and its group without waiting; whoever awaits its answer cleans up."""
        if self.alive:
            self._kill_group()

    async def reap(self) -> None:
        """Wait until the killed process is gone, at most a few seconds."""
        await asyncio.wait({self._reaped}, timeout=_CLOSE_SECONDS)

    async def _wait(self) -> None:
        await self._process.wait()
        self._kill_group()  # what it left behind; at once, while its number cannot have been given away again

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _end(self, *, grace_s: float) -> bool:
        """Close all; return whether it had ended by itself within the grace."""
        self.ended = True
        try:
            if grace_s and self.alive:
                await asyncio.wait({self._reaped}, timeout=grace_s)
        finally:
            by_itself = not self.alive
            self._socket.close()
            self.signal()
            self._output.close()
        if self.alive:  # the kernel may need long to free gigabytes; that must not delay the answer
            await asyncio.wait({self._reaped}, timeout=_REAP_SECONDS)
        return by_itself


class _Output:
    """Drains what a worker prints and keeps the last few kilobytes, to be shown to people."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._kept = bytearray()
        self._open = True
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def text(self) -> str:
        return self._kept.decode(errors="replace").strip()

    def close(self) -> None:
        if not self._open:
            return
        self._read()  # what it printed last, before it died
        if self._open:
            self._stop()

    def _stop(self) -> None:
        self._open = False
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._stop()
        self._kept += data
        del self._kept[:-_OUTPUT_BYTES]


async def _whole(spawning: asyncio.Future[asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """Let a process come up before it is killed: bubblewrap, killed half way, leaves a child that waits for it."""
    try:
        return await asyncio.shield(spawning)
    except asyncio.CancelledError:
        process = await spawning
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
