from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sandbox.errors import WorkerDeadlineError, WorkerDiedError, WorkerProtocolError
from sandbox.isolation.base import Isolation, WorkerSpec, source_root
from sandbox.isolation.process import ProcessIsolation
from sandbox.pool import WorkerPool
from sandbox.wire import MessageLimits
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault
from sandbox.worker_process import Worker, WorkerFailedError, WorkerMemoryError

pytestmark = pytest.mark.usefixtures("nothing_left")

SPEC = WorkerSpec("reference", 1 << 30)
GOOD = "def reference(x): return {'y': x + 1}"
SOCKET = """
import os, socket
def send(data):
    for fd in range(3, 64):
        try:
            with socket.socket(fileno=os.dup(fd)) as found:
                found.sendall(data)
        except OSError:
            pass
"""


def call(text: str) -> ReferenceCall:
    return ReferenceCall(text, {"x": np.zeros(3)}, {}, {}, 0, 0)


async def ask(pool: WorkerPool, text: str, deadline_s: float = 60, **more: MessageLimits) -> Expected:
    reply = await pool.request(call(text), Expected, ReferenceFault, deadline_s=deadline_s, **more)
    assert isinstance(reply, Expected), reply
    return reply


async def test_a_worker_answers_and_stays_warm_for_the_next_request(
    isolation: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        await ask(pool, GOOD)
        before = worker_pids()
        reply = await ask(pool, GOOD)
        np.testing.assert_array_equal(reply.outputs["y"], [1, 1, 1])
        assert before == worker_pids() != []


async def test_what_is_about_the_same_goes_to_the_worker_that_was_asked_about_it(
    isolation: Isolation,
) -> None:
    text = "import builtins\ndef reference(x):\n    builtins.n = getattr(builtins, 'n', 0) + 1\n"
    counts = f"{text}    return {{'y': x + builtins.n}}"

    async def asked(about: str) -> float:
        reply = await pool.request(call(counts), Expected, deadline_s=20, about=about)
        return float(reply.outputs["y"][0])

    async with WorkerPool(SPEC, isolation, size=2) as pool:
        await asyncio.gather(asked("one"), asked("other"))
        assert [await asked(about) for about in ("one", "other", "one", "other")] == [2, 2, 3, 3]


async def test_a_worker_that_hangs_is_killed_at_the_deadline_and_replaced(isolation: Isolation) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        await pool.warm()
        started = time.monotonic()
        with pytest.raises(WorkerDeadlineError, match=r"within 0\.5 s"):
            await ask(pool, "while True: pass", deadline_s=0.5)
        assert time.monotonic() - started < 1.5
        await ask(pool, GOOD)


@pytest.mark.parametrize(
    "end", ["import os; os._exit(3)", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"]
)
async def test_a_worker_that_dies_is_told_and_the_next_request_gets_a_new_one(
    isolation: Isolation, end: str
) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        with pytest.raises(WorkerDiedError) as death:
            await ask(pool, f"import sys; print('last words', file=sys.stderr, flush=True)\n{end}")
        assert "last words" in str(death.value)
        assert not isinstance(death.value, WorkerMemoryError)
        await ask(pool, GOOD)


async def test_a_worker_that_was_killed_while_idle_is_replaced(
    isolation: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        await pool.warm()
        killed = worker_pids()
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):  # the first of them takes the others with it
                os.kill(pid, signal.SIGKILL)
        while (
            any(Path(f"/proc/{pid}").exists() for pid in killed) or _container_clients()
        ):  # also until reaped
            await asyncio.sleep(0.01)
        await ask(pool, GOOD)


def _container_clients() -> list[str]:
    """Processes of ours that hold a container's end of the socket: each ends a while after its container."""
    ours = f'"org.warpwright.parent": "{os.getpid()}"'
    commands = (_command(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
    return [command for command in commands if "container_client.py" in command and ours in command]


def _command(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text(errors="replace")
    return ""


async def test_a_worker_that_spoke_while_nobody_asked_is_replaced() -> None:
    later = (
        f"{SOCKET}\nimport signal\nsignal.signal(signal.SIGALRM, lambda *_: send(b'unasked'))\n"
        f"signal.setitimer(signal.ITIMER_REAL, 0.1)\n{GOOD}"
    )
    async with WorkerPool(SPEC, ProcessIsolation()) as pool:
        await ask(pool, later)
        await asyncio.sleep(0.5)
        await ask(pool, GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "import numpy\ndef reference(x): return {'y': numpy.ones(1 << 40)}",
        "import numpy\nkept = [numpy.ones(1 << 24) for _ in range(1000)]",
        "raise MemoryError",
    ],
)
async def test_a_worker_over_its_memory_limit_says_so(isolation: Isolation, text: str) -> None:
    async with WorkerPool(WorkerSpec("reference", 384 << 20), isolation) as pool:
        with pytest.raises(WorkerMemoryError):
            await ask(pool, text)
        await ask(pool, GOOD)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense, and more of it than a preamble",
        b"warpwright:" + b"f" * 12 + b"\n",
        b'warpwright:00000000001a\n{"body":{},"buffers":[]}\n\n',
        b'warpwright:000000000028\n{"body":{"$type":"Plan"},"buffers":[]}   \n',
    ],
)
async def test_a_worker_that_forges_an_answer_is_killed(bubblewrapped: Isolation, data: bytes) -> None:
    async with WorkerPool(SPEC, bubblewrapped) as pool:
        with pytest.raises(WorkerProtocolError):
            await ask(pool, f"{SOCKET}\nsend({data!r})")
        await ask(pool, GOOD)


async def test_an_answer_over_the_limit_is_refused(bubblewrapped: Isolation) -> None:
    text = "import numpy\ndef reference(x): return {'y': numpy.ones(1 << 20)}"
    async with WorkerPool(SPEC, bubblewrapped) as pool:
        with pytest.raises(WorkerProtocolError, match="over the limit"):
            await ask(pool, text, limits=MessageLimits(1 << 20, 1 << 20))


async def test_a_worker_that_prints_without_end_is_drained_and_killed(isolation: Isolation) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        await ask(pool, "print('x' * 10_000_000, flush=True)\n" + GOOD)
        with pytest.raises(WorkerDeadlineError):
            await ask(pool, "while True: print('x' * 1000)", deadline_s=0.5)


async def test_cancelling_a_request_kills_its_worker(
    isolation: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    async with WorkerPool(SPEC, isolation) as pool:
        await pool.warm()
        task = asyncio.create_task(ask(pool, "while True: pass"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if not worker_pids():
                break
            await asyncio.sleep(0.02)
        assert worker_pids() == []


async def test_cancelling_while_a_worker_starts_leaves_nothing(isolation: Isolation) -> None:
    for delay in (0, 0.005, 0.02, 0.06):
        async with WorkerPool(SPEC, isolation) as pool:
            task = asyncio.create_task(ask(pool, GOOD))
            await asyncio.sleep(delay)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_requests_run_side_by_side_on_as_many_workers_as_the_pool_has(
    bubblewrapped: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    text = "import time; time.sleep(0.5)\n" + GOOD
    async with WorkerPool(SPEC, bubblewrapped, size=2) as pool:
        await asyncio.gather(*(ask(pool, text) for _ in range(2)))
        pids = worker_pids()
        started = time.monotonic()
        await asyncio.gather(*(ask(pool, text) for _ in range(4)))
        assert 0.95 < time.monotonic() - started < 1.9
        assert worker_pids() == pids


async def test_the_wait_for_a_free_worker_is_not_charged_to_the_deadline(bubblewrapped: Isolation) -> None:
    text = "import time; time.sleep(0.4)\n" + GOOD
    async with WorkerPool(SPEC, bubblewrapped) as pool:
        await asyncio.gather(*(ask(pool, text, deadline_s=0.8) for _ in range(4)))


async def test_a_worker_is_replaced_after_its_share_of_requests(
    bubblewrapped: Isolation, worker_pids: Callable[[], list[int]]
) -> None:
    async with WorkerPool(SPEC, bubblewrapped, requests=2) as pool:
        await ask(pool, GOOD)
        assert worker_pids()
        await ask(pool, GOOD)
        for _ in range(100):
            if not worker_pids():
                break
            await asyncio.sleep(0.02)
        assert worker_pids() == []
        await ask(pool, GOOD)


async def test_closing_ends_requests_under_way_and_refuses_later_ones(isolation: Isolation) -> None:
    pool = WorkerPool(SPEC, isolation)
    task = asyncio.create_task(ask(pool, "while True: pass"))
    await asyncio.sleep(0.6)
    await pool.aclose()
    with pytest.raises(WorkerDiedError):
        await task
    with pytest.raises(WorkerDiedError, match="stopped"):
        await ask(pool, GOOD)
    await pool.aclose()


async def test_a_bug_in_a_worker_is_raised_with_its_traceback(bubblewrapped: Isolation) -> None:
    worker = await Worker.start(SPEC, bubblewrapped)
    with pytest.raises(WorkerFailedError, match="WorkerProtocolError"):
        await worker.request(Expected({}, {}, False, {}), Expected, deadline_s=5)
    assert not worker.alive


async def test_a_worker_that_cannot_start_says_what_it_printed() -> None:
    with pytest.raises(WorkerDiedError, match="no role 'nothing'"):
        await Worker.start(WorkerSpec("nothing", 2 << 30), ProcessIsolation())


PARENT = """
import asyncio
from sandbox.isolation.choose import choose_isolation
from sandbox.isolation.base import WorkerSpec
from sandbox.worker_process import Worker

async def main():
    worker = await Worker.start(WorkerSpec("reference", 2 << 30), choose_isolation({name!r}))
    print(worker.pid, flush=True)
    await asyncio.sleep(100)

asyncio.run(main())
"""


async def test_workers_die_with_their_parent(isolation: Isolation) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT.format(name=isolation.name),
        stdout=asyncio.subprocess.PIPE, cwd=source_root(),
    )  # fmt: skip
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    assert _running(pid)
    parent.kill()
    await parent.communicate()
    for _ in range(100):
        if not _running(pid):
            return
        await asyncio.sleep(0.03)
    pytest.fail("the worker outlived its parent")


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
