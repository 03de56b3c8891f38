"""Final sizes: in task.toml, checked like any case, and told to nobody who writes kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.search_fakes import write_task
from tools.mcp.translation import describe_task
from tools.tasks.errors import TaskError
from tools.tasks.folder import load


def test_final_sizes_are_read_and_make_another_task_of_it(tmp_path: Path) -> None:
    task = load(write_task(tmp_path / "held", "\n[[final]]\ndims = { n = 100003 }\n"))
    assert [case.dims for case in task.finals] == [{"n": 100003}]
    last = task.at_finals
    assert (last.benches, last.tests, last.finals) == (task.finals, task.tests, ())
    assert last.sha != task.sha, "what is kept of the one is not of the other"
    assert last.sha == task.at_finals.sha


def test_whoever_asks_for_a_task_does_not_see_them(tmp_path: Path) -> None:
    task = load(write_task(tmp_path / "held", "\n[[final]]\ndims = { n = 100003 }\n"))
    assert "100003" not in describe_task(task).model_dump_json()


def test_a_final_size_is_checked_like_any_other(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "held", "\n[[final]]\ndims = { rows = 3 }\n")
    with pytest.raises(TaskError, match=r"task.toml:\d+: \[final\] "):
        load(folder)
