from __future__ import annotations

from pathlib import Path

import pytest

from agent.events import Event
from agent.home import Home
from agent.results import SearchRequest
from tests.agent.quick_task import quick_task
from tests.agent.search_fakes import FakeToolbox, kernel, write_task
from tools.tasks.task import Case, Target, Task, TaskArgument


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of `vector_add`, timed at a size that a simulator runs in no time."""
    return str(quick_task(tmp_path_factory.mktemp("tasks")))


@pytest.fixture
def toolbox() -> FakeToolbox:
    return FakeToolbox()


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    return write_task(tmp_path / "twice")


@pytest.fixture
def task() -> Task:
    return Task(
        name="twice",
        summary="Twice a vector.",
        dims=("n",),
        arguments=(
            TaskArgument("x", "in", "float32", ("n",), "normal(0, 1)"),
            TaskArgument("y", "out", "float32", ("n",)),
        ),
        tests=(Case({"n": 33}),),
        benches=(Case({"n": 4096}),),
        flops="n",
        bytes="8 * n",
        deterministic=True,
        target=Target(),
        folder=Path("twice"),
        sha="00c0ffee" * 8,
        reference="def reference(x, n):\n    return {'y': 2 * x}\n",
        baseline=kernel("LATENCY 100.0"),
    )


@pytest.fixture
def request_of(task_folder: Path):
    """Make a request for the small task."""

    def make(candidates: int = 1, depth: int = 2, **more: object) -> SearchRequest:
        return SearchRequest.model_validate(
            {"task": str(task_folder), "candidates": candidates, "depth": depth, "seed": 7, **more}
        )

    return make


@pytest.fixture
def heard() -> list[Event]:
    return []
