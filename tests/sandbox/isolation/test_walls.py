"""What an isolation holds by itself, with the filter on system calls left out: namespaces and limits."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sandbox.errors import WorkerDeadlineError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault

pytestmark = pytest.mark.usefixtures("nothing_left")


Wrapper = Callable[[Isolation], Isolation]


@pytest.fixture
def bubblewrapped(bubblewrapped: Isolation, unfiltered: Wrapper) -> Isolation:
    return unfiltered(bubblewrapped)


@pytest.fixture(params=["bubblewrapped", pytest.param("docked", marks=pytest.mark.docker)])
def walled(request: pytest.FixtureRequest, unfiltered: Wrapper) -> Isolation:
    """One that hides the machine, not only refuses it."""
    isolation: Isolation = request.getfixturevalue(request.param)
    return isolation if request.param == "bubblewrapped" else unfiltered(isolation)


@pytest.fixture
def isolation(isolation: Isolation, unfiltered: Wrapper) -> Isolation:
    return unfiltered(isolation)


async def attempt(isolation: Isolation, body: str, deadline_s: float = 20) -> int | str:
    """Run the body of a function in a worker; return its number, or what it raised."""
    text = "def reference():\n" + "".join(f"    {line}\n" for line in body.strip().splitlines())
    async with WorkerPool(WorkerSpec("reference", 2 << 30), isolation) as pool:
        call = ReferenceCall(f"{text}    return {{'y': result}}", {}, {}, {}, 0, 0)
        reply = await pool.request(call, Expected, ReferenceFault, deadline_s=deadline_s)
    if isinstance(reply, ReferenceFault):
        return reply.message
    return int(np.asarray(reply.outputs["y"]))


async def test_a_host_file_cannot_be_read(bubblewrapped: Isolation, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for path in (
        secret,
        Path("/etc/passwd"),
        Path.home() / ".bashrc",
        Path("/proc/self/environ"),
        Path("/dev/null"),
    ):
        assert "FileNotFoundError" in str(await attempt(bubblewrapped, f"open({str(path)!r}); result = 1"))


async def test_nothing_of_the_host_is_listed_but_what_a_worker_needs(bubblewrapped: Isolation) -> None:
    host = "{'etc', 'proc', 'dev', 'home', 'var', 'sys', 'mnt', 'opt'}"
    body = f"import os; result = len(set(os.listdir('/')) & {host})"
    assert await attempt(bubblewrapped, body) == 0
    assert await attempt(bubblewrapped, "import os; result = len(os.listdir('/tmp'))") == 0


async def test_no_variable_of_the_parent_reaches_a_worker(
    isolation: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    body = "import os; result = int('OPENAI_API_KEY' in os.environ or 'secret' in str(os.environ))"
    assert await attempt(isolation, body) == 0


async def test_there_is_no_network(walled: Isolation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        body = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); result = 1"
        assert "Error" in str(await attempt(walled, body))


@pytest.mark.parametrize("path", ["/warpwright/app/sandbox/x", "/x", "/usr/lib/x"])
async def test_nothing_can_be_written_but_a_private_tmp(walled: Isolation, path: str) -> None:
    assert "OSError: [Errno 30]" in str(await attempt(walled, f"open({path!r}, 'w'); result = 1"))
    assert await attempt(walled, "result = open('/tmp/written-by-a-worker', 'w').write('abc')") == 3
    assert not Path("/tmp/written-by-a-worker").exists()


async def test_no_process_of_the_host_is_seen_or_signalled(walled: Isolation) -> None:
    body = f"import os; os.kill({os.getpid()}, 0); result = os.getpid()"
    assert "ProcessLookupError" in str(await attempt(walled, body))
    pid = await attempt(walled, "import os; result = os.getpid()")
    assert isinstance(pid, int)
    assert pid < 10


async def test_a_worker_is_nobody_and_cannot_become_more(walled: Isolation) -> None:
    assert await attempt(walled, "import os; result = os.getuid()") == 65534
    assert "Error" in str(await attempt(walled, "import os; os.setuid(0); result = 1"))
    mount = """
import ctypes
libc = ctypes.CDLL(None)
result = libc.unshare(0x10000000)  # a user namespace, in which it would be root
"""
    assert await attempt(walled, mount) == -1


async def test_privileges_cannot_be_gained(isolation: Isolation) -> None:
    assert await attempt(isolation, "import ctypes; result = ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)") == 1


async def test_a_file_over_the_limit_is_refused(walled: Isolation) -> None:
    body = """
import os, signal, tempfile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with tempfile.TemporaryFile() as file:
    result = file.write(b'0' * (65 << 20))
"""
    assert "OSError: [Errno 27]" in str(await attempt(walled, body))


async def test_the_disk_cannot_be_filled(walled: Isolation) -> None:
    body = """
for number in range(100):
    with open(f'/tmp/{number}', 'wb') as file:
        file.write(b'0' * (16 << 20))
result = 1
"""
    assert "OSError: [Errno 28]" in str(await attempt(walled, body))


async def test_a_worker_that_ignores_signals_is_killed_with_all_it_forked(walled: Isolation) -> None:
    body = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        break
time.sleep(100)
"""
    with pytest.raises(WorkerDeadlineError):
        await attempt(walled, body, deadline_s=0.5)


async def test_descriptors_of_the_parent_are_not_inherited(isolation: Isolation, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        body = """
import os
result = 0
for fd in range(200):
    try:
        os.fstat(fd)
        result += 1
    except OSError:
        pass
"""
        assert await attempt(isolation, body) == 4  # input, output, errors and the socket


async def test_no_more_descriptors_than_allowed_can_be_opened(isolation: Isolation) -> None:
    assert "Too many open files" in str(
        await attempt(isolation, "import os; kept = [os.pipe() for _ in range(1000)]; result = 1")
    )


async def test_the_packages_beside_the_interpreter_are_not_there(walled: Isolation) -> None:
    assert "ModuleNotFoundError" in str(await attempt(walled, "import pydantic; result = 1"))
    assert "ModuleNotFoundError" in str(await attempt(walled, "import tools; result = 1"))
