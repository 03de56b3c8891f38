"""A PostgreSQL of the tests' own: one cluster for all processes of a run of tests, a database for each test.

It is Debian's (`apt install postgresql`), run by a user without rights where the tests run as root, behind a socket in
a folder of its own; it does not wait for the disk, so it is fast. Where there is none, what needs it is skipped.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import psycopg
import pytest

from tests.compiling import SHARED

_USER = "nobody"
_OPEN = ("listen_addresses=''", "max_connections=200")
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def programs() -> Path | None:
    """Return the folder of initdb and pg_ctl; None where PostgreSQL is not installed."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return debian[-1].parent if debian else None


def run(name: str, *words: str) -> None:
    """Run one of PostgreSQL's programs, as a user without rights where this one is root."""
    folder = programs()
    assert folder is not None
    user = _USER if os.getuid() == 0 else None
    command = [str(folder / name), *words]
    done = subprocess.run(
        command, user=user, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Cluster:
    """A cluster in a folder, stopped until `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def made(cls) -> Cluster:
        folder = Path(tempfile.mkdtemp(prefix="warpwright-pg-"))
        if os.getuid() == 0:
            shutil.chown(folder, _USER)
        run(
            "initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "warpwright", "-E", "UTF8", "--no-sync"
        )
        return cls(folder)

    def start(self, *, durable: bool = False) -> None:
        """Start it; only a durable one keeps what was committed when it is stopped at once."""
        quick = () if durable else _QUICK
        options = " ".join(
            f"-c {option}" for option in (*_OPEN, *quick, f"unix_socket_directories={self.folder}")
        )
        log = str(self.folder / "log")
        run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-s", "-l", log, "-o", options, "start")

    def stop(self, how: str = "immediate") -> None:
        run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-s", "-m", how, "stop")

    def database(self) -> str:
        """Make a database and return its address."""
        name = f"test_{secrets.token_hex(6)}"
        there = f"host={self.folder} user=warpwright dbname=postgres"
        with psycopg.connect(there, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://warpwright@/{name}?host={self.folder}"

    def drop(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def skip_without_it() -> None:
    if programs() is None:
        pytest.skip("no PostgreSQL here: apt install postgresql")


@cache
def cluster() -> Cluster:
    """Return the cluster that all processes of this run of tests share; the first that asks makes it."""
    skip_without_it()
    shared = Path(os.environ[SHARED])
    with open(shared / "postgres.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = shared / "postgres"
        if known.exists():
            return Cluster(Path(known.read_text()))
        made = Cluster.made()
        made.start()
        known.write_text(str(made.folder))
        return made


def end(shared: Path) -> None:
    """Stop the cluster of a run of tests, where one was started."""
    if (known := shared / "postgres").exists():
        Cluster(Path(known.read_text())).drop()
