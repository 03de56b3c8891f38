"""What work says of itself while it lasts: its stage, and how far that is. Whoever wants to know gives an `Account`.

The account travels with the context of the task that does the work, so that no stage has to hand it on; where nobody
listens, nothing is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

LINES = 5
"""Of what was done before, that an account remembers."""


class Account:
    """What one piece of work does now, and what it did last."""

    def __init__(self) -> None:
        self._stages: dict[str, str] = {}
        self._counts: dict[str, str] = {}
        self._before: deque[str] = deque(maxlen=LINES)

    @property
    def now(self) -> str:
        """What is under way, as in `kernel 1 of 2: test 14 of 23; kernel 2 of 2: compile`; empty before any stage."""
        return "; ".join(self._text(part) for part in self._stages)

    @property
    def lines(self) -> list[str]:
        """The last few things that were done, and what is under way."""
        return [*self._before, *([self.now] if self._stages else [])]

    def begin(self, part: str, stage: str) -> None:
        """Take note of a part's next stage."""
        self.end(part)
        self._stages[part] = stage

    def count(self, part: str, done: int, total: int) -> None:
        """Take note of how far a part's stage is."""
        self._counts[part] = f" {done} of {total}"

    def end(self, part: str) -> None:
        """Take note that a part's stage is over."""
        if part in self._stages:
            self._before.append(f"{self._text(part)}, done")
        self._stages.pop(part, None)
        self._counts.pop(part, None)

    def skip(self, part: str) -> None:
        """Take note that there was nothing to do in a part's stage."""
        self._stages.pop(part, None)
        self._counts.pop(part, None)

    def _text(self, part: str) -> str:
        said = self._stages[part] + self._counts.get(part, "")
        return f"{part}: {said}" if part else said


_account: ContextVar[Account | None] = ContextVar("account", default=None)
_part: ContextVar[str] = ContextVar("part", default="")


@contextmanager
def told_to(account: Account) -> Generator[None]:
    """Have the work that begins here tell an account."""
    token = _account.set(account)
    try:
        yield
    finally:
        _account.reset(token)


@contextmanager
def untold() -> Generator[None]:
    """Have the work that begins here tell nobody: it is done beside a stage that does."""
    token = _account.set(None)
    try:
        yield
    finally:
        _account.reset(token)


@contextmanager
def part(name: str) -> Generator[None]:
    """Name what begins here as a part of the work, `kernel 1 of 2`."""
    token = _part.set(name)
    try:
        yield
    finally:
        if (account := _account.get()) is not None:
            account.end(name)
        _part.reset(token)


def begin(stage: str) -> None:
    """Say that a stage begins."""
    if (account := _account.get()) is not None:
        account.begin(_part.get(), stage)


def skip() -> None:
    """Say that the stage had nothing to do."""
    if (account := _account.get()) is not None:
        account.skip(_part.get())


def count(done: int, total: int) -> None:
    """Say how far the stage is, where it has more than one step."""
    if total > 1 and (account := _account.get()) is not None:
        account.count(_part.get(), done, total)
