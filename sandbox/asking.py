"""Asking a worker where reaching a limit is an answer too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from sandbox.budget import Budget
from sandbox.errors import WorkerDeadlineError
from sandbox.pool import WorkerPool
from sandbox.wire import MessageLimits
from sandbox.worker_process import REPLY_LIMITS, WorkerKilledError, WorkerMemoryError, WorkerSpentError

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
    """The worker reached a limit on what it was asked, or was lost, and is dead.

    Attributes:
        limit: Which one; "lost" where something killed it, as the kernel does when the machine's memory is short.
        said: What the worker's end was, for people.
    """

    limit: Literal["deadline", "processor time", "memory", "lost"]
    said: str


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
        WorkerError: The environment failed: all that `request` raises but for the limits.
    """
    request = workers.request(call, *accepted, deadline_s=deadline_s, limits=limits, spent=spent)
    return await _answered(request)


async def ask_within(
    cpu_s: float,
    pool: WorkerPool,
    call: object,
    *accepted: type[T],
    limits: MessageLimits = REPLY_LIMITS,
    deadline_s: float | None = None,
    about: str = "",
) -> T | LimitReached:
    """Ask a worker that may take so many seconds of processor time; see `WorkerPool.request` for the arguments.

    Without a `deadline_s` the worker is lost after as long as a very busy machine may need.

    Raises:
        WorkerError: The environment failed: all that `request` raises but for the limits.
    """
    patience = Budget(cpu_s).wall_s if deadline_s is None else deadline_s
    request = pool.request(call, *accepted, deadline_s=patience, cpu_s=cpu_s, limits=limits, about=about)
    return await _answered(request)


async def _answered(request: Awaitable[T]) -> T | LimitReached:
    try:
        return await request
    except WorkerDeadlineError as error:
        return LimitReached("deadline", str(error))
    except WorkerSpentError as error:
        return LimitReached("processor time", str(error))
    except WorkerKilledError as error:
        return LimitReached("lost", str(error))
    except WorkerMemoryError as error:
        return LimitReached("memory", str(error))
