"""Containers for real: against the daemon that DOCKER_HOST names, with the image built from the Dockerfile.

What every isolation does, compiling and running included, is tested with docker among them wherever a test takes
the fixture `isolation`; here is what only containers have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
import tomllib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.errors import MissingDependencyError, WorkerDeadlineError, WorkerDiedError
from sandbox.isolation import docker as isolation_by_docker
from sandbox.isolation.base import Isolation, WorkerSpec, source_root
from sandbox.isolation.choose import VARIABLE, choose_isolation, why_not_stronger
from sandbox.isolation.container_client import OWNER_LABEL, owner
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault
from sandbox.worker_process import Worker

SPEC = WorkerSpec("reference", 1 << 30)
GOOD = "def reference(x): return {'y': x + 1}"
ENDLESS = "while True: pass"


async def ask(pool: WorkerPool, text: str, deadline_s: float = 20) -> Expected | ReferenceFault:
    call = ReferenceCall(text, {"x": np.zeros(3)}, {}, {}, 0, 0)
    return await pool.request(call, Expected, ReferenceFault, deadline_s=deadline_s)


async def value(pool: WorkerPool, body: str) -> float | str:
    """Run the body of a function in a container; return its number, or what it raised."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    reply = await ask(pool, f"def reference(x):\n{lines}    return {{'y': result}}")
    return reply.message if isinstance(reply, ReferenceFault) else float(reply.outputs["y"])


@contextlib.contextmanager
def daemon() -> Iterator[Any]:
    import docker

    client = docker.from_env()
    try:
        yield client.api
    finally:
        client.close()


@pytest.fixture
async def containers(docked: Isolation, nothing_left: None) -> AsyncIterator[Callable[..., list[Any]]]:
    """Give what lists the containers of this process (or of another); none may be left after the test."""

    def listed(parent: int = os.getpid()) -> list[Any]:
        label = f"{isolation_by_docker.PARENT_LABEL}={parent}"
        with daemon() as api:
            return [found["Id"] for found in api.containers(all=True, filters={"label": label})]

    assert await gone(listed) == []
    yield listed
    assert await gone(listed) == []


@pytest.fixture
def bare(docked: Isolation, unfiltered: Callable[[Isolation], Isolation]) -> Isolation:
    """The container alone, without the filter that every worker puts on its system calls."""
    return unfiltered(docked)


async def gone(listed: Callable[[], list[Any]], seconds: float = 15) -> list[Any]:
    deadline = time.monotonic() + seconds
    while (left := listed()) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return left


def test_docker_is_used_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation_by_docker, "find", lambda: pytest.fail("docker was looked for"))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert choose_isolation().name != "docker"


@pytest.mark.docker
def test_docker_is_used_where_the_environment_says_so(
    docked: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "docker")
    chosen = choose_isolation()
    assert (chosen.name, chosen.warning, why_not_stronger(chosen)) == ("docker", None, "")


def test_without_a_daemon_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(
        MissingDependencyError, match=r"no Docker daemon answers at unix:///nowhere.*start it"
    ):
        choose_isolation("docker")


@pytest.mark.docker
def test_without_the_image_the_message_says_how_to_build_it(
    docked: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(isolation_by_docker.IMAGE_VARIABLE, "no-such-image")
    with pytest.raises(MissingDependencyError, match="docker build --target sandbox -t no-such-image"):
        choose_isolation("docker")


def test_a_package_that_the_image_lacks_is_named() -> None:
    isolation = isolation_by_docker.DockerIsolation("some-image", frozenset({"numpy"}))
    with pytest.raises(MissingDependencyError, match=r"some-image lacks ml_dtypes; build it anew"):
        isolation.command(SPEC, 3)


@pytest.mark.docker
async def test_the_daemon_holds_a_container_to_every_restriction(
    docked: Isolation, containers: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    async with WorkerPool(SPEC, docked) as pool:
        await pool.warm()
        (container,) = containers()
        with daemon() as api:
            found = api.inspect_container(container)
        host, config = found["HostConfig"], found["Config"]
        assert host["NetworkMode"] == "none"
        assert (host["ReadonlyRootfs"], host["AutoRemove"], host["Privileged"]) == (True, True, False)
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert (host["PidsLimit"], host["IpcMode"], host["LogConfig"]["Type"]) == (64, "none", "none")
        assert SPEC.memory_bytes <= host["Memory"] == host["MemorySwap"] <= SPEC.memory_bytes + (1 << 29)
        assert host["DeviceRequests"] is None
        assert config["User"] == "65534:65534"
        assert "secret" not in str(found)
        assert all(mount["RW"] is False for mount in found["Mounts"])


@pytest.mark.docker
async def test_what_is_in_a_container_is_confined_without_the_filter_too(
    bare: Isolation, containers: Callable[..., list[Any]], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    async with WorkerPool(SPEC, bare) as pool:
        mask = "next(int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith({!r}))"
        assert await value(pool, f"result = {mask.format('CapBnd')} | {mask.format('CapEff')}") == 0
        assert await value(pool, f"result = {mask.format('Seccomp:')}") == 2  # Docker's own
        for path in ("/x", "/etc/x", "/opt/warpwright/site/x", "/dev/shm/x"):
            assert "Error: [Errno" in str(await value(pool, f"open({path!r}, 'w'); result = 1"))
        assert "FileNotFoundError" in str(await value(pool, f"open({str(secret)!r}); result = 1"))
        assert (
            await value(pool, "import os; result = len(os.listdir('/sys/class/net'))") <= 1
        )  # its own loopback
        named = "sum('nameserver' in line and '127.0.0.1' not in line for line in open('/etc/resolv.conf'))"
        assert await value(pool, f"result = {named}") == 0


@pytest.mark.docker
async def test_a_worker_cannot_reach_the_process_that_carries_its_messages(
    bare: Isolation, containers: Callable[..., list[Any]]
) -> None:
    async with WorkerPool(SPEC, bare) as pool:
        for path in ("/proc/1/fd/1", "/proc/1/mem", "/proc/1/environ"):
            assert "PermissionError" in str(await value(pool, f"open({path!r}, 'rb'); result = 1"))
        attach = "import ctypes; result = ctypes.CDLL(None).ptrace(16, 1, 0, 0)"
        assert await value(pool, attach) == -1
        await value(
            pool, "import os, signal; os.kill(1, signal.SIGKILL); os.kill(1, signal.SIGSTOP); result = 1"
        )
        assert await value(pool, "result = 5") == 5
        assert len(containers()) == 1


@pytest.mark.docker
async def test_the_deadline_ends_the_container_and_the_next_candidate_gets_its_answer(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    async with WorkerPool(SPEC, docked) as pool:
        await pool.warm()
        (before,) = containers()
        started = time.monotonic()
        with pytest.raises(WorkerDeadlineError):
            await ask(pool, ENDLESS, deadline_s=0.5)
        assert time.monotonic() - started < 1.5
        assert await gone(containers) == []
        assert isinstance(await ask(pool, GOOD), Expected)
        (after,) = containers()
        assert before != after


@pytest.mark.docker
async def test_twenty_candidates_leave_nothing(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    bad = ["import os; os._exit(3)", "raise ValueError", "while True: print('x' * 1000)"]
    async with WorkerPool(SPEC, docked) as pool:
        for number in range(20):
            if number % 5 == 4:
                with contextlib.suppress(WorkerDiedError, WorkerDeadlineError):
                    assert isinstance(await ask(pool, bad[number % 3], deadline_s=0.3), ReferenceFault)
            else:
                reply = await ask(pool, f"def reference(x): return {{'y': x + {number}}}")
                assert isinstance(reply, Expected)
                np.testing.assert_array_equal(reply.outputs["y"], np.full(3, number))
        assert len(containers()) <= 2  # the one in use, and one that may still be on its way out


@pytest.mark.docker
async def test_requests_run_in_containers_side_by_side(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    async with WorkerPool(SPEC, docked, size=2) as pool:
        replies = await asyncio.gather(*(ask(pool, "import time; time.sleep(1)\n" + GOOD) for _ in range(2)))
        assert all(isinstance(reply, Expected) for reply in replies)
        assert len(containers()) == 2


PARENT = """
import asyncio
from sandbox.isolation.base import WorkerSpec
from sandbox.isolation.choose import choose_isolation
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall

async def main():
    async with WorkerPool(WorkerSpec("reference", 1 << 30), choose_isolation("docker")) as pool:
        await pool.warm()
        print("ready", flush=True)
        await pool.request(ReferenceCall("while True: pass", {}, {}, {}, 0, 0), Expected, deadline_s=100)

asyncio.run(main())
"""


@pytest.mark.docker
async def test_the_container_of_a_busy_worker_goes_with_a_parent_that_is_killed(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, cwd=source_root()
    )
    assert parent.stdout
    assert await parent.stdout.readline() == b"ready\n"
    assert len(containers(parent.pid)) == 1
    parent.kill()
    await parent.wait()
    assert await gone(lambda: containers(parent.pid)) == []


@pytest.mark.docker
@pytest.mark.parametrize("delay", [0.1, 0.3, 0.5, 0.8, 1.2])
async def test_a_start_that_is_cancelled_leaves_no_container(
    docked: Isolation, containers: Callable[..., list[Any]], delay: float
) -> None:
    starting = asyncio.create_task(Worker.start(SPEC, docked))
    await asyncio.sleep(delay)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await starting).kill()
    await asyncio.sleep(0.5)  # time for a creation under way to end


@pytest.mark.docker
async def test_what_a_killed_watcher_left_is_removed_at_the_next_start_and_nothing_else(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    here = str(owner(os.getpid()))
    boot, space, pid, _ = here.split()
    owners = {
        "an owner that is gone": f"{boot} {space} {pid} 1",
        "an owner that lives": here,
        "another machine's": f"{uuid.uuid4()} {space} {pid} 1",
        "nonsense": "nonsense",
    }
    image = isolation_by_docker.DEFAULT_IMAGE
    with daemon() as api:
        made = {
            name: api.create_container_from_config({"Image": image, "Labels": {OWNER_LABEL: label}})["Id"]
            for name, label in owners.items()
        }
        try:
            async with WorkerPool(SPEC, docked) as pool:
                await pool.warm()
            left = {found["Id"] for found in api.containers(all=True)}
            assert [name for name in owners if made[name] in left] == list(owners)[1:]
        finally:
            for name in list(owners)[1:]:
                api.remove_container(made[name], force=True)


@pytest.mark.docker
async def test_a_container_that_is_removed_by_hand_is_replaced(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    async with WorkerPool(SPEC, docked) as pool:
        await pool.warm()
        with daemon() as api:
            api.remove_container(containers()[0], force=True)
        await asyncio.sleep(0.5)
        assert isinstance(await ask(pool, GOOD), Expected)


@pytest.mark.docker
async def test_memory_and_processes_are_bounded_for_all_that_a_worker_forks(
    bare: Isolation, containers: Callable[..., list[Any]]
) -> None:
    bomb = """
import os
import re
result = 0
try:
    while os.fork():
        result += 1
    import time; time.sleep(100)
except OSError:
    pass
"""
    async with WorkerPool(SPEC, bare) as pool:
        reply = await value(pool, bomb)
        assert isinstance(reply, str) or reply < 64
    async with WorkerPool(SPEC, bare) as pool:
        hogs = "import os\nfor _ in range(4): os.fork()\nkept = bytearray(400 << 20)\n" + ENDLESS
        with pytest.raises((WorkerDiedError, WorkerDeadlineError)):
            await ask(pool, hogs, deadline_s=5)
        assert isinstance(await ask(pool, GOOD), Expected)


async def test_a_gpu_is_asked_for_where_the_worker_needs_one_and_is_hidden_where_not() -> None:
    isolation = isolation_by_docker.DockerIsolation("image", frozenset({"numpy", "ml_dtypes"}))
    with_gpu = isolation.command(WorkerSpec("reference", 1 << 30, gpu=1), 3).argv[-1]
    assert '"DeviceIDs": ["1"]' in with_gpu
    assert "NVIDIA_VISIBLE_DEVICES" not in with_gpu
    without = isolation.command(SPEC, 3).argv[-1]
    assert "DeviceRequests" not in without
    assert "NVIDIA_VISIBLE_DEVICES=void" in without


@pytest.mark.docker
async def test_a_gpu_that_the_daemon_cannot_give_is_told(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    with daemon() as api:
        if "nvidia" in api.info().get("Runtimes", {}):
            pytest.skip("this daemon can give GPUs")
    with pytest.raises(WorkerDiedError, match=r"could not be run.*device driver"):
        await Worker.start(WorkerSpec("reference", 1 << 30, gpu=0), docked)


@pytest.mark.docker
async def test_a_client_that_is_killed_takes_its_container_along(
    docked: Isolation, containers: Callable[..., list[Any]]
) -> None:
    worker = await Worker.start(SPEC, docked)
    assert len(containers()) == 1
    os.kill(worker.pid, signal.SIGKILL)
    assert await gone(containers) == []
    await worker.kill()


def test_the_image_gets_what_the_project_asks_for() -> None:
    project = tomllib.loads((source_root() / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["gpu"]}
    built = re.findall(r'"([\w-]+[><=][^"]*)"', (source_root() / "Dockerfile").read_text())
    assert len(built) == 4
    assert set(built) <= wanted
