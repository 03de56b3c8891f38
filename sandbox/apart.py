"""Work on large arrays goes to a thread, so that the event loop goes on meanwhile; on small ones that costs more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")

_LARGE_BYTES = 4 << 20
"""What is done with so much may take milliseconds."""


async def apart(
    nbytes: int, function: Callable[Arguments, Value], *args: Arguments.args, **named: Arguments.kwargs
) -> Value:
    """Call a function that is about arrays of so many bytes in all; in a thread where they are large."""
    if nbytes < _LARGE_BYTES:
        return function(*args, **named)
    return await asyncio.to_thread(function, *args, **named)
