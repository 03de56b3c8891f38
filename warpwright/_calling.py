"""Functions in two forms: one that blocks, one to be awaited."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Blocking(Generic[P, R]):
    """Calls an asynchronous function and returns once it has; `aio` is that function itself.

    Where the calling thread runs an event loop, as in a notebook, the work has a thread and a loop of its own.
    """

    def __init__(self, function: Callable[P, Coroutine[Any, Any, R]]) -> None:
        self.aio = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call it, and wait."""
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.aio(*args, **kwargs))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(self.aio(*args, **kwargs))).result()

    def __repr__(self) -> str:
        """Return the function's name."""
        return f"<warpwright.{self.__name__}>"
