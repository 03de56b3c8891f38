"""Named suites and folders of tasks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.tasks import folder as task_folder
from tools.tasks import suites
from tools.tasks.errors import TaskError
from tools.tasks.suites import find_suite
from tools.tasks.task import Case, argument_size


def test_every_task_of_a_suite_is_bundled_and_named_once() -> None:
    for name in suites.names():
        listed = [one.task for one in find_suite(name).tasks]
        assert len(set(listed)) == len(listed)
        assert set(listed) <= set(task_folder.names())


def test_every_task_of_the_papers_suite_has_a_published_speedup_for_each_card() -> None:
    suite = find_suite("fsr20")
    assert suite.cards == ("GTX 1660 SUPER", "RTX 3090 Ti")
    assert all(len(one.published) == 2 and min(one.published) > 0 for one in suite.tasks)
    assert max(speed for one in suite.tasks for speed in one.published) == 179.30


def test_a_kernelbench_size_suits_its_task_and_each_buffer_fits_into_memory() -> None:
    found = [one for one in find_suite("fsr20").tasks if one.kernelbench is not None]
    assert len(found) == 10
    for one in found:
        assert one.kernelbench is not None
        task, case = task_folder.find(one.task), Case(one.kernelbench.dims)
        assert set(case.dims) == set(task.dims)
        for argument in task.arguments:
            elements = 1
            for side in argument_size(argument, case.dims):
                elements *= side
            assert elements < 2**31


def test_a_folder_of_tasks_is_a_suite_of_all_of_them(tmp_path: Path) -> None:
    for name in ("relu", "sort"):
        shutil.copytree(task_folder.find(name).folder, tmp_path / "mine" / name)
    (tmp_path / "mine" / ".draft").mkdir()
    (tmp_path / "mine" / ".draft" / "task.toml").write_text("")
    suite = find_suite(str(tmp_path / "mine"))
    assert suite.name == "mine"
    assert [Path(one.task).name for one in suite.tasks] == ["relu", "sort"]
    assert suite.cards == ()


@pytest.mark.parametrize("name", ["", "fsr2", "\0", "a" * 5000, "~nobody-of-that-name"])
def test_any_other_name_is_an_error_that_lists_the_suites(name: str) -> None:
    with pytest.raises(TaskError, match="Known suites: fsr20"):
        find_suite(name)


def test_a_folder_without_tasks_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no task lies in it"):
        find_suite(str(tmp_path))


def test_an_installed_package_finds_the_suites_it_carries(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "site" / "tools"
    (package / "bundled_suites").mkdir(parents=True)
    (package / "bundled_suites" / "short.toml").write_text(
        'name = "short"\nsummary = "One."\n[[task]]\nname = "relu"\n'
    )
    monkeypatch.setattr(suites, "_PACKAGE", package)
    assert suites.names() == ["short"]
    assert [one.task for one in find_suite("short").tasks] == ["relu"]
