"""Workers of a device that can hang: after a hang it is tried out, and left alone if that fails too.

A deadline kills the worker, as always. What that leaves behind is in doubt: a process that the kernel cannot
end because its driver does not return, or a device that no new process can use. So before the next request a
new worker runs a probe, a request whose answer is known. If it fails, or the killed worker is still there, the
device is suspect: nothing is judged on it until `recheck` succeeds, for a verdict from it would be worth nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sandbox.errors import WorkerDeadlineError, WorkerDiedError, WorkerError
from sandbox.pool import WorkerPool
from sandbox.wire import MessageLimits
from sandbox.worker_process import REPLY_LIMITS, WorkerMemoryError

T = TypeVar("T")

_POLL_SECONDS = 0.05


class DeviceSuspectError(WorkerError):
    """The device hung or lost its worker, and failed again when it was tried out; the text says how."""


@dataclass(frozen=True)
class Probe:
    """A request whose answer is known.

    Attributes:
        call: What the worker is asked; nothing of a candidate's.
        accepted: The type of a good answer.
        complaint: Says what is wrong with an answer, None where it is right.
        deadline_s: Seconds until the probe has failed.
        reap_s: Seconds that killed workers have to be gone.
    """

    call: object
    accepted: type[Any]
    complaint: Callable[[Any], str | None]
    deadline_s: float = 20.0
    reap_s: float = 60.0


class WatchedPool:
    """A `WorkerPool` in front of a device that can hang; the pool stays its owner's to close."""

    def __init__(self, pool: WorkerPool, device: str, probe: Probe) -> None:
        """Watch the workers of `device`, as the user writes it."""
        self._pool = pool
        self._device = device
        self._probe = probe
        self._trying = asyncio.Lock()
        self._doubted = False
        self._complaint: str | None = None

    @property
    def suspect(self) -> str | None:
        """Why nothing is judged on the device any more, None while it can be trusted."""
        return self._complaint

    async def request(
        self,
        call: object,
        *accepted: type[T],
        deadline_s: float,
        limits: MessageLimits = REPLY_LIMITS,
        spent: Callable[[T], bool] | None = None,
    ) -> T:
        """Ask as `WorkerPool.request` does, but try the device out first where the last request hung or died.

        Raises:
            DeviceSuspectError: The device is suspect, or has just become so; the call was not made.
        """
        if self._doubted:
            await self._try_out()
        if self._complaint is not None:
            raise DeviceSuspectError(self._complaint)
        try:
            return await self._pool.request(
                call, *accepted, deadline_s=deadline_s, limits=limits, spent=spent
            )
        except WorkerMemoryError:
            raise  # the host's memory, by the limit on the worker
        except (WorkerDeadlineError, WorkerDiedError):
            self._doubted = True
            raise

    async def recheck(self) -> str | None:
        """Try the device out again; return None where it can be trusted now, else why not."""
        self._doubted, self._complaint = True, None
        await self._try_out()
        return self._complaint

    async def _try_out(self) -> None:
        async with self._trying:  # the requests that wait here find it done
            if not self._doubted:
                return
            complaint = await self._complain()
            if complaint is not None:
                self._complaint = (
                    f"device {self._device} is suspect: a worker hung or died on it, and then {complaint}; look at "
                    "it (nvidia-smi, the kernel's log), reset it or restart the machine"
                )
            self._doubted = False

    async def _complain(self) -> str | None:
        give_up = time.monotonic() + self._probe.reap_s
        while self._pool.lingering:
            if time.monotonic() > give_up:
                return f"the killed worker was still there after {self._probe.reap_s:g} s"
            await asyncio.sleep(_POLL_SECONDS)
        probe = self._probe
        try:
            answer = await self._pool.request(probe.call, probe.accepted, deadline_s=probe.deadline_s)
        except WorkerError as error:
            return f"a new one failed as well ({str(error).splitlines()[0]:.300})"
        wrong = probe.complaint(answer)
        return None if wrong is None else f"a new one got a known answer wrong ({wrong:.300})"
