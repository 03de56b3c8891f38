"""Asking a worker where reaching a limit is an answer too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from sandbox.errors import WorkerDeadlineError
from sandbox.wire import MessageLimits
from sandbox.worker_process import REPLY_LIMITS, WorkerMemoryError

T = TypeVar("T")


class Workers(Protocol):
    """What answers calls: `WorkerPool`, or `WatchedPool` before a GPU."""

    async def request(
        self,
        call: object,
        *accepted: type[T],
        deadline_s: float,
        limits: MessageLimits = ...,
        spent: Callable[[T], bool] | None = None,
    ) -> T:
        """See `WorkerPool.request`."""
        ...


@dataclass(frozen=True)
class LimitReached:
    """The worker reached a limit on what it was asked, and is dead."""

    limit: Literal["deadline", "memory"]


async def ask(
    workers: Workers,
    call: object,
    *accepted: type[T],
    deadline_s: float,
    limits: MessageLimits = REPLY_LIMITS,
    spent: Callable[[T], bool] | None = None,
) -> T | LimitReached:
    """Ask a worker; see `WorkerPool.request` for the arguments.

    Raises:
        WorkerError: The environment failed: all that `request` raises but for the two limits.
    """
    try:
        return await workers.request(call, *accepted, deadline_s=deadline_s, limits=limits, spent=spent)
    except WorkerDeadlineError:
        return LimitReached("deadline")
    except WorkerMemoryError:
        return LimitReached("memory")
