"""Which kernels the benchmark of verdicts beside busy loops is asked to judge."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from benchmarks.busy import given
from tools.tasks import folder as task_folder


def test_a_folder_of_kernels_is_judged_for_the_task_that_is_named(tmp_path: Path) -> None:
    for name in ("b.cu", "a.cu", "notes.txt"):
        (tmp_path / name).write_text(name)
    asked = [(task.name, kernel, text) for task, kernel, text in given([f"{tmp_path}:softmax"])]
    assert asked == [("softmax", f"{tmp_path.name}/{name}", name) for name in ("a.cu", "b.cu")]


def test_a_task_folder_is_its_own_task() -> None:
    folder = task_folder.find("transpose").folder
    assert [task.name for task, _, _ in given([str(folder)])] == ["transpose"] * len(
        list(folder.glob("*.cu"))
    )


@pytest.mark.parametrize("where", ["nowhere.cu:softmax", ".:no_such_task"])
def test_what_is_not_there_is_told_in_one_sentence(where: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"no_such_task|does not exist"):
        list(given([where]))
