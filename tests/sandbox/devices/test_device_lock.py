from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.devices.device_lock import DeviceLock, lock_path

HOLDS = """
import fcntl, os, sys
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made when needed" / "gpu.lock"


async def waits(lock: DeviceLock, *, alone: bool) -> bool:
    """Whether the lock is not to be had at once."""
    try:
        async with asyncio.timeout(0.15), lock.held(alone=alone):
            return False
    except TimeoutError:
        return True


async def test_timings_exclude_each_other_and_runs_but_runs_do_not(path: Path) -> None:
    lock, other = DeviceLock(path), DeviceLock(path)
    async with lock.held(alone=True):
        assert await waits(other, alone=True)
        assert await waits(other, alone=False)
    async with lock.held(alone=False):
        assert await waits(other, alone=True)
        assert not await waits(other, alone=False)
    assert not await waits(other, alone=True)


async def test_the_lock_holds_between_processes_and_ends_with_them(path: Path) -> None:
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert await waits(DeviceLock(path), alone=False)
        holder.kill()
    assert not await waits(DeviceLock(path), alone=True)


def test_the_lock_of_a_device_lies_in_a_folder_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert lock_path("cuda:0") == Path("/run/user/7/warpwright-cuda-0.lock")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert lock_path("0000:01:00.0").name == "warpwright-0000-01-00.0.lock"
    assert "warpwright-" in lock_path("x").parent.name
