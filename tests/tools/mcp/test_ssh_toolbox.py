"""Kernels judged by a server that is started over SSH: a real sshd on this machine, where there is one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.home import Home
from agent.toolboxes import open_toolbox
from sandbox.errors import MissingDependencyError, UsageError, WarpwrightError
from sandbox.verdict import Verdict
from tests.agent.quick_task import quick_task
from tools.mcp import remote_toolbox
from tools.mcp.ssh_toolbox import SshAddress, SshToolbox
from tools.tasks import folder as task_folder
from tools.toolbox import CompileOrder

ROOT = Path(__file__).parents[3]
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real sshd that takes one key; its address. `ssh` on PATH is the system's with a configuration of the test's."""
    if SSHD is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here: apt install openssh-server")
    folder, port = tmp_path_factory.mktemp("ssh"), free_port()
    for name in ("host", "mine"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_text((folder / "mine.pub").read_text())
    program = folder / "warpwright"
    exports = f"export WARPWRIGHT_HOME={folder}/home PYTHONPATH={ROOT}"
    program.write_text(f'#!/bin/sh\n{exports}\nexec {sys.executable} -m warpwright "$@" --device sim:h200\n')
    program.chmod(0o755)
    (folder / "sshd_config").write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
    client = folder / "ssh"
    options = (
        f"-F none -i {folder}/mine -o UserKnownHostsFile={folder}/known -o StrictHostKeyChecking=accept-new"
    )
    client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} {options} "$@"\n')
    client.chmod(0o755)
    command = [
        SSHD,
        "-D",
        "-e",
        "-p",
        str(port),
        "-o",
        "ListenAddress=127.0.0.1",
        "-f",
        str(folder / "sshd_config"),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
            yield f"ssh://127.0.0.1:{port}{program}"
        daemon.terminate()


async def test_a_kernel_is_judged_by_a_server_that_is_started_over_ssh(there: str, tmp_path: Path) -> None:
    task = task_folder.load(quick_task(tmp_path))
    async with open_toolbox("auto", there, Home(tmp_path / "unused")) as toolbox:
        assert isinstance(toolbox, SshToolbox)
        assert toolbox.device == "sim:h200"
        right = await toolbox.do(CompileOrder(task, task.baseline))
        wrong = await toolbox.do(CompileOrder(task, "//@ launch no<<<1, 1>>>()\nno kernel"))
    assert right.verdict is Verdict.PASS
    assert wrong.verdict is Verdict.COMPILE_ERROR


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (
            lambda url: url.replace("/warpwright", "/nothing"),
            MissingDependencyError,
            "install it there, or name it",
        ),
        (lambda url: f"ssh://127.0.0.1:{free_port()}", MissingDependencyError, "refused"),
        (lambda url: url.replace("ssh://", "ssh://-oProxyCommand=x@"), UsageError, r"ssh://\[USER@\]HOST"),
    ],
)
async def test_what_keeps_a_server_from_starting_over_ssh_is_said(
    there: str, change: object, kind: type[WarpwrightError], said: str
) -> None:
    assert callable(change)
    with pytest.raises(kind, match=said):
        async with SshToolbox(change(there)):
            pass


async def test_tools_of_another_version_are_refused(there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_toolbox, "version", lambda _: "99.1.0")
    with pytest.raises(UsageError, match=r"and this is 99\.1\.0"):
        async with SshToolbox(there):
            pass


def test_an_address_says_who_where_and_what_to_start() -> None:
    assert SshAddress.of("ssh://gpu-box") == SshAddress("gpu-box")
    found = SshAddress.of("ssh://ada@gpu-box:2222/opt/a%20b/warpwright")
    assert found == SshAddress("gpu-box", "ada", 2222, "/opt/a b/warpwright")
    assert found.command[-7:-1] == ["-p", "2222", "-l", "ada", "--", "gpu-box"]
    assert found.command[-1] == "exec '/opt/a b/warpwright' serve --toolsets judge --read-only"


@pytest.mark.parametrize(
    "url", ["ssh://", "ssh://-x", "ssh://ada:secret@host", "ssh://host:port", "ssh://a b", "ssh://host?x=1"]
)
def test_what_is_no_address_over_ssh_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="was expected") as refused:
        SshAddress.of(url)
    assert "secret" not in str(refused.value)
