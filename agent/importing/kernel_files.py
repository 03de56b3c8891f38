"""A kernel of a user's own as a task: what can be read of it, and where that ends."""

from __future__ import annotations

from dataclasses import dataclass

from agent.home import Home
from agent.importing.keeping import kept_task
from sandbox.errors import UsageError
from tools.tasks.drafting import name_like
from tools.tasks.proposing import propose
from tools.tasks.task import Task


@dataclass(frozen=True)
class KernelAsTask:
    """A task that was drafted from a kernel.

    Attributes:
        notes: What was guessed.
        start: The kernel as a kernel file, where the search begins.
    """

    task: Task
    notes: tuple[str, ...]
    start: str


def task_of_kernel(path: str, stem: str, text: str, home: Home) -> KernelAsTask:
    """Draft a task from a kernel and keep it.

    Args:
        path: What messages call the file.
        stem: The file's name without its ending; the task is called after it.
        text: What it holds, its own includes in their place.
        home: Where the task is kept.

    Raises:
        UsageError: A task cannot be drafted from it; the text says why, and what to do.
    """
    name = name_like(stem)
    by_hand = (
        f"make the task by hand: `warpwright init {name} --from {path}`, write {name}/reference.py, then"
        f" `warpwright optimize {name}`"
    )
    try:
        proposal = propose(text, name)
    except UsageError as error:
        raise UsageError(f"{path}: no task can be drafted from it: {error}") from None
    if proposal.unread:
        raise UsageError(
            f"{path}: nothing says what is right, for its code cannot be read as a reference: {proposal.unread};"
            f" {by_hand}"
        )
    try:
        task = kept_task(proposal.task, home)
    except UsageError as error:
        raise UsageError(f"{path}: the task drafted from it cannot be used: {error}; {by_hand}") from None
    return KernelAsTask(task, proposal.notes, proposal.task.baseline)
