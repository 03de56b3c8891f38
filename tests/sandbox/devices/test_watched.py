"""A device that hangs. Real workers stand before a fake device: a file that says how it feels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.devices.watched import DeviceSuspectError, Probe, WatchedPool
from sandbox.errors import WorkerDeadlineError, WorkerDiedError
from sandbox.isolation.base import WorkerSpec
from sandbox.isolation.process import ProcessIsolation
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault
from sandbox.worker_process import WorkerMemoryError

pytestmark = pytest.mark.usefixtures("nothing_left")

HANG, DIE = "while True: pass", "import os; os._exit(1)"
GOOD = "def reference(): return {'y': 1}"


class FakeDevice:
    """Hangs, dies or answers wrongly while its file says so; only `probe` and `use` look at it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.feels("well")
        self.probed = 0

    def feels(self, how: str) -> None:
        self.state.write_text(how)

    def use(self) -> ReferenceCall:
        return call(f"""
how = open({str(self.state)!r}).read()
while how == 'hung': pass
if how == 'gone': import os; os._exit(1)
def reference(): return {{'y': 8 if how == 'dizzy' else 7}}
""")

    def complaint(self, answer: Expected) -> str | None:
        self.probed += 1
        found = int(np.asarray(answer.outputs["y"]))
        return None if found == 7 else f"{found} where 7 was due"


def call(text: str) -> ReferenceCall:
    return ReferenceCall(text, {}, {}, {}, 0, 0)


@pytest.fixture
def device(tmp_path: Path) -> FakeDevice:
    return FakeDevice(tmp_path / "device")


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(WorkerSpec("reference", 1 << 29), ProcessIsolation(landlock=False), size=2) as pool:
        yield pool


@pytest.fixture
def watched(device: FakeDevice, pool: WorkerPool) -> WatchedPool:
    probe = Probe(device.use(), Expected, device.complaint, deadline_s=1.0, reap_s=2.0)
    return WatchedPool(pool, "cuda:0", probe)


async def ask(watched: WatchedPool, text: str, deadline_s: float = 10) -> Expected | ReferenceFault:
    return await watched.request(call(text), Expected, ReferenceFault, deadline_s=deadline_s)


async def test_after_a_hang_a_healthy_device_is_tried_out_once_and_used_on(
    watched: WatchedPool, device: FakeDevice
) -> None:
    await ask(watched, GOOD)
    assert device.probed == 0
    with pytest.raises(WorkerDeadlineError):
        await ask(watched, HANG, 0.3)
    await asyncio.gather(*(ask(watched, GOOD) for _ in range(4)))
    assert (device.probed, watched.suspect) == (1, None)
    with pytest.raises(WorkerDiedError):
        await ask(watched, DIE)
    await ask(watched, GOOD)
    assert (device.probed, watched.suspect) == (2, None)


@pytest.mark.parametrize(
    ("how", "said"),
    [("hung", r"no answer within 1 s"), ("gone", "ended before it answered"), ("dizzy", "8 where 7 was due")],
)
async def test_a_device_on_which_the_new_worker_fails_too_is_suspect_until_it_is_checked_again(
    watched: WatchedPool, device: FakeDevice, how: str, said: str
) -> None:
    device.feels(how)
    with pytest.raises(WorkerDeadlineError):
        await ask(watched, HANG, 0.3)
    with pytest.raises(DeviceSuspectError, match=f"cuda:0 is suspect: .*{said}"):
        await ask(watched, GOOD)
    device.feels("well")
    with pytest.raises(DeviceSuspectError):  # it is not tried again by itself
        await ask(watched, GOOD)
    assert await watched.recheck() is None
    assert isinstance(await ask(watched, GOOD), Expected)


async def test_a_request_over_its_memory_limit_puts_no_doubt_on_the_device(
    watched: WatchedPool, device: FakeDevice
) -> None:
    device.feels("hung")
    with pytest.raises(WorkerMemoryError):
        await ask(watched, "raise MemoryError")
    await ask(watched, GOOD)
    assert watched.suspect is None


async def test_a_killed_worker_that_does_not_go_makes_its_device_suspect(
    watched: WatchedPool, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkerDeadlineError):
        await ask(watched, HANG, 0.3)
    monkeypatch.setattr(type(pool), "lingering", 1)  # as if its driver did not let it end
    with pytest.raises(DeviceSuspectError, match="still there after 2 s"):
        await ask(watched, GOOD)
    monkeypatch.undo()
    assert pool.lingering == 0
    assert await watched.recheck() is None
