"""What must be computed, as Python programs name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from warpwright._entry import find_own_first

if TYPE_CHECKING:
    from tools.tasks import task as judged


@dataclass(frozen=True)
class Task:
    """A task: what kernels must compute, at which sizes, and what counts as right.

    `Task("softmax")` is one of those that come with warpwright, or of those kept in this machine's home; any other
    name is the path of a task folder. It is read and checked when it is made.

    Attributes:
        source: Its name, or the path of its folder.

    Raises:
        ValueError: There is no such task, or it cannot be used; the text names file, line and what was expected.
    """

    source: str | Path
    _judged: judged.Task = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read it."""
        find_own_first()
        from agent.home import home
        from sandbox.errors import UsageError
        from tools.tasks.folder import find

        try:
            object.__setattr__(self, "_judged", find(self.source, home().tasks))
        except UsageError as error:
            raise ValueError(str(error)) from error

    @property
    def name(self) -> str:
        """What it is called."""
        return self._judged.name

    @property
    def summary(self) -> str:
        """One sentence: what is computed."""
        return self._judged.summary

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self._judged.folder

    @property
    def reference(self) -> str:
        """What it computes, in NumPy: the text of reference.py."""
        return self._judged.reference

    @property
    def baseline(self) -> str:
        """A plain correct kernel file: the text of baseline.cu."""
        return self._judged.baseline

    @property
    def tests(self) -> tuple[dict[str, int], ...]:
        """The sizes that every kernel is tested at, and fresh ones beside them."""
        return tuple(dict(case.dims) for case in self._judged.tests)

    @property
    def benches(self) -> tuple[dict[str, int], ...]:
        """The sizes that latency is about."""
        return tuple(dict(case.dims) for case in self._judged.benches)
