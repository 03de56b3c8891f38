"""What views of work share: a picture that is redrawn in a terminal, or lines that stay elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live


class Shown(Protocol):
    """A view: what it shows is on the screen from its start to its end, and what was shown last stays."""

    def paused(self) -> AbstractContextManager[None]:
        """Show nothing meanwhile: something is asked."""
        ...

    def __enter__(self) -> Self:
        """Start showing."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        ...


class Redrawn:
    """A view that is drawn anew a few times a second."""

    def __init__(self, console: Console, draw: Callable[[], RenderableType], a_second: float) -> None:
        """Draw nothing yet.

        Args:
            console: A terminal.
            draw: Returns what it shows now.
            a_second: How often that is asked.
        """
        self._live = Live(console=console, get_renderable=draw, refresh_per_second=a_second)

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Leave what is on the screen, and go on below it."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

    def __enter__(self) -> Self:
        """Start redrawing."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._live.__exit__(kind, error, trace)


class Printed:
    """A view whose lines are printed as things happen: nothing has to start or stop."""

    def paused(self) -> AbstractContextManager[None]:
        """Nothing happens meanwhile."""
        return nullcontext()

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to stop."""
