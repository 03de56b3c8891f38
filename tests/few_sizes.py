"""Tasks at fewer of their sizes, for tests in which the largest cost seconds and show nothing that smaller ones do not."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace

from tests.exhaustive import EXHAUSTIVE
from tools.tasks.task import Task


def without(task: Task, left_out: Collection[Mapping[str, int]]) -> Task:
    """A task without the test cases of some dims, frozen apart from the whole one; the whole one where EXHAUSTIVE."""
    if EXHAUSTIVE or not left_out:
        return task
    assert all(any(case.dims == dims for case in task.tests) for dims in left_out), task.name
    return _of(task, [number for number, case in enumerate(task.tests) if case.dims not in left_out])


def first(task: Task, count: int) -> Task:
    """A task with its first test cases alone, frozen apart from the whole one."""
    return _of(task, range(count))


def _of(task: Task, numbers: Collection[int]) -> Task:
    sha = hashlib.sha256(f"{task.sha} {list(numbers)}".encode()).hexdigest()
    return replace(task, tests=tuple(task.tests[number] for number in numbers), sha=sha)
