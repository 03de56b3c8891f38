"""A real Ray of this machine's own: the reports of the local pool, whatever is killed, and no secret of the caller's."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.ray import kill_some, scripted_kernels, searched
from sandbox.errors import MissingDependencyError, UsageError, WorkerError
from sandbox.verdict import Verdict
from tests.agent.quick_task import quick_task
from tools.cluster.cluster_link import ClusterLink, join, leave
from tools.cluster.ray_toolbox import RayToolbox
from tools.local_toolbox import LocalToolbox
from tools.several_devices import SeveralDevices
from tools.tasks import folder as task_folder
from tools.tasks.task import Task
from tools.toolbox import CheckOrder, TestOrder

SECRET = "sk-planted-where-no-node-may-see-it"
pytestmark = [
    # Looked for, not imported: Ray reads when it is imported whether tokens are asked for.
    pytest.mark.skipif(
        find_spec("ray") is None, reason="Ray is not installed: pip install 'warpwright[ray]'"
    ),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def held() -> Iterator[list[ClusterLink]]:
    """The Ray that is there for the whole module, once a test has asked for it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_API_KEY", "WARPWRIGHT_TOOLS_TOKEN", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, SECRET)
        for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            patch.delenv(name, raising=False)
        patch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "3")  # seconds, for the test that ends the head
        found: list[ClusterLink] = []
        yield found
        for one in found:
            leave(one)


@pytest.fixture
def link(held: list[ClusterLink]) -> ClusterLink:
    """Three slots."""
    if not held:
        held.append(join("local-ray", 3))
    return held[0]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return task_folder.load(quick_task(tmp_path))


def own_cluster(cache: Path) -> RayToolbox:
    return RayToolbox("local-ray", "sim:h200", cache=cache, tenant="tester")


def processes_of(folder: Path) -> dict[int, str]:
    """Return the environments of the processes of a Ray that keeps its files in this folder."""
    found: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and process.name != str(os.getpid()):
            try:
                environment = (process / "environ").read_bytes().decode(errors="replace")
                called = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in called + environment:
                found[int(process.name)] = environment
    return found


async def test_a_search_comes_to_the_same_as_on_the_local_pool_while_workers_are_killed(
    link: ClusterLink, cache: Path, task: Task, tmp_path: Path
):
    kernels = scripted_kernels()[:8]
    async with LocalToolbox("sim:h200", cache=cache) as toolbox:
        local = await searched(tmp_path, "local", toolbox, task.folder, kernels)
    async with own_cluster(cache) as toolbox:
        at_work = asyncio.create_task(searched(tmp_path, "ray", toolbox, task.folder, kernels))
        chance, kills = random.Random(5), 0
        while not at_work.done():
            await asyncio.wait({at_work}, timeout=1.0)
            kills += await kill_some(toolbox, chance, most=1) if kills < 2 else 0
        ray = await at_work
    assert ray.same(local)
    assert set(local.verdicts.values()) > {"pass", "wrong_result", "compile_error"}


async def test_an_order_whose_judge_was_killed_is_carried_out_by_another_and_never_twice_once_answered(
    link: ClusterLink, cache: Path, task: Task
):
    order = CheckOrder(task, task.baseline + "\n// lost once\n", benches=False)
    async with own_cluster(cache) as toolbox:
        before = await toolbox.figures()
        asked = asyncio.create_task(toolbox.do(order))
        await asyncio.sleep(0.2)
        await kill_some(toolbox, random.Random(0), most=9)
        report = await asked
        after = await toolbox.figures()
        again = await toolbox.do(order)
        at_last = await toolbox.figures()
    assert report.verdict is Verdict.PASS
    assert again == report
    assert (after.answered, at_last.answered) == (before.answered + 1, before.answered + 1)
    assert at_last.repeated == after.repeated + 1


async def test_a_desk_that_was_killed_is_there_again_and_learns_what_its_judges_had_answered(
    link: ClusterLink, cache: Path, task: Task
):
    order = TestOrder(task, task.baseline + "\n// kept by its judge\n")
    async with own_cluster(cache) as toolbox:
        report = await toolbox.do(order)
        before = await toolbox.figures()
        os.kill(before.desk, signal.SIGKILL)
        again = await toolbox.do(order)
        after = await toolbox.figures()
    assert again == report
    assert after.desk != before.desk
    assert set(after.judges) & set(before.judges)


async def test_one_order_is_judged_on_two_simulated_gpus_at_once(link: ClusterLink, cache: Path, task: Task):
    second = RayToolbox("local-ray", "sim:l4", cache=cache, tenant="tester")
    async with SeveralDevices(own_cluster(cache), [second]) as toolbox:
        report = await toolbox.do(CheckOrder(task, task.baseline, benches=False))
    assert report.verdict is Verdict.PASS
    assert report.device == "sim:h200"
    assert report.stages[-1].name == "sim:l4"
    assert report.stages[-1].verdict is Verdict.PASS


async def test_a_cancelled_order_frees_its_judge(link: ClusterLink, cache: Path, task: Task):
    async with own_cluster(cache) as toolbox:
        orders = [CheckOrder(task, f"{task.baseline}\n// {number} of many\n") for number in range(6)]
        asked = [asyncio.create_task(toolbox.do(order)) for order in orders]
        await asyncio.sleep(0.5)
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)
        report = await toolbox.do(CheckOrder(task, f"{task.baseline}\n// after them\n", benches=False))
    assert report.verdict is Verdict.PASS


async def test_a_gpu_that_the_cluster_lacks_is_said_to_be_missing_and_the_order_is_no_wrong_kernel(
    link: ClusterLink, cache: Path
):
    with pytest.raises(MissingDependencyError, match="GPU"):
        async with RayToolbox("local-ray", "cuda:h200", cache=cache, patience_s=3.0):
            pass


def test_nothing_of_the_callers_environment_is_on_any_node(link: ClusterLink):
    assert link.folder is not None
    found = processes_of(link.folder)
    assert len(found) >= 4  # the head, its node and what judges there
    assert not [pid for pid, environment in found.items() if SECRET in environment]
    for written in link.folder.rglob("*"):
        if written.is_file():
            assert SECRET.encode() not in written.read_bytes(), written


def test_a_head_lets_nobody_in_without_its_token(link: ClusterLink, monkeypatch: pytest.MonkeyPatch):
    from tools.cluster.cluster_door import try_door

    try_door(link.address, within_s=5)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    with pytest.raises(UsageError, match="does not know this token"):
        try_door(link.address, within_s=5)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/nonexistent")
    with pytest.raises(UsageError, match="no token"):
        try_door(link.address, within_s=5)


async def test_a_head_that_is_gone_is_said_and_is_no_wrong_kernel_and_who_asks_again_finds_the_next_head(
    link: ClusterLink, held: list[ClusterLink], cache: Path, task: Task
):
    assert link.folder is not None
    async with own_cluster(cache) as toolbox:
        for pid in processes_of(link.folder):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match="gave no answer"):
            await toolbox.do(CheckOrder(task, f"{task.baseline}\n// asked of nobody\n"))
        report = await toolbox.do(CheckOrder(task, f"{task.baseline}\n// asked again\n", benches=False))
    assert report.verdict is Verdict.PASS
    leave(held.pop())
