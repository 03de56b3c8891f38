"""Starts a Ray of this machine's own, with a token of its own and nothing of this process's environment."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip
"""What nodes need to find of the system; keys and tokens are in none of these."""
_STORE_BYTES = 128 << 20
_END_S = 20.0


class LocalRay:
    """One node that is head and worker, which ends with this process at the latest."""

    def __init__(self, cpus: int | None = None) -> None:
        """Start it; it is there once its `address` answers, some seconds later.

        Args:
            cpus: Kernels judged at once on CPU slots; None for one a core.
        """
        # Short, for sockets lie below it; nobody else may look into it, for the token does too.
        self.folder = Path(tempfile.mkdtemp(prefix="wwray-"))
        self.token_path = self.folder / "token"
        self.token_path.write_text(_token())
        port = _free_port()
        self.address = f"ray://127.0.0.1:{port}"
        self._log = (self.folder / "log").open("wb")
        argv = [
            "--port=0", f"--ray-client-server-port={port}", "--include-dashboard=false", "--disable-usage-stats",
            "--min-worker-port=0", "--max-worker-port=0", "--node-ip-address=127.0.0.1",
            f"--temp-dir={self.folder}", f"--object-store-memory={_STORE_BYTES}",
            f"--num-cpus={cpus or len(os.sched_getaffinity(0))}",
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.cluster.local_head", *argv],
            stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT, cwd="/", env=self._environment(),
        )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return known | {
            "HOME": str(self.folder),
            # With it every second process that the head forks for a client ends by SIGSEGV (grpcio 1.85).
            "GRPC_ENABLE_FORK_SUPPORT": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_path),
        }

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def said(self) -> str:
        """The last that it printed."""
        return (self.folder / "log").read_text(errors="replace")[-2000:].strip()

    def close(self) -> None:
        """End it, with all that runs on it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _token() -> str:
    """Return the token of every Ray that this process starts: Ray reads a process's token once."""
    return secrets.token_hex(32)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
