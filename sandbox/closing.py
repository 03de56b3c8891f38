"""What has workers, and is closed in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Protocol, Self


class Closes(Protocol):
    """What is stopped in the end."""

    async def aclose(self) -> None:
        """Stop it; safe to call twice."""
        ...


class AsyncClosing(ABC):
    """Makes `async with` close: for classes that have an `aclose`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Stop what this owns; safe to call twice."""

    async def __aenter__(self) -> Self:
        """Enter; leaving closes."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()
