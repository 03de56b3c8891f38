"""Runs one worker's container: creates it, passes its socket's bytes on, and sees that it is removed.

Run by path with one argument, the JSON that `sandbox.isolation.docker` writes; trusted, not confined, and short.
Two processes: this one, which the parent may kill at any time, and a watcher in a session of its own, which
removes the container by force once this one is gone, whatever state it was left in.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import socket
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import docker
import docker.errors

OWNER_LABEL = "org.warpwright.owner"
"""Label of every container of ours; the value says which process owns it, see `owner`."""

_CHUNK = 1 << 20
_FRAME = 8
_STDERR = 2
_API_SECONDS = 60
_WATCH_SECONDS = 60.0
_RETRY_SECONDS = 0.2
_CREATED = b"c"
_CONFLICT = 409

Api = Any
"""A `docker.APIClient`; the package has no types."""


class StartError(Exception):
    """The daemon refused to create or start the container; the text is what it said."""


def main(settings: dict[str, Any]) -> int:
    """Run the container until it ends or the parent closes its socket; return the worker's status."""
    name = f"warpwright-{uuid.uuid4().hex}"
    progress = _watch(name)  # before any thread, and before there is anything to remove
    api = _connect()
    remove_orphans(api)
    with socket.socket(fileno=settings["fd"]) as worker:
        return _run(api, name, settings["config"], worker, progress)


def owner(pid: int) -> str | None:
    """Name a process so that no other has the same name: machine boot, pid namespace, pid and start.

    Returns:
        The name, or None where there is no such process.
    """
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid} {started}"
    except OSError:
        return None


def remove_orphans(api: Api) -> None:
    """Remove the containers whose owner is gone; those of another machine or pid namespace are left alone."""
    here = (owner(os.getpid()) or "").split()[:2]
    for found in api.containers(all=True, filters={"label": OWNER_LABEL}):
        label = str(found["Labels"][OWNER_LABEL])
        words = label.split()
        if len(words) == 4 and words[:2] == here and words[2].isdigit() and owner(int(words[2])) != label:
            with contextlib.suppress(docker.errors.APIError):  # its watcher was faster
                api.remove_container(found["Id"], force=True)


def _run(api: Api, name: str, config: dict[str, Any], worker: socket.socket, progress: int) -> int:
    config = {**config, "Labels": {**config.get("Labels", {}), OWNER_LABEL: owner(os.getpid())}}
    try:
        api.create_container_from_config(config, name)
        os.write(progress, _CREATED)
        status: list[int] = []
        waiting = threading.Thread(target=_wait, args=(name, status), daemon=True)
        waiting.start()
        stream = api.attach_socket(name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        stream = getattr(stream, "_sock", stream)
        stream.settimeout(None)
        api.start(name)
    except docker.errors.APIError as error:
        raise StartError(str(error.explanation or error)) from error
    threading.Thread(target=_leave_with_parent, args=(worker,), daemon=True).start()
    threading.Thread(target=_inward, args=(worker, stream), daemon=True).start()
    with contextlib.suppress(ConnectionError):
        _outward(stream, worker)
    waiting.join(_API_SECONDS)
    return status[0] if status else 1


def _connect() -> Api:
    library: Any = docker
    return library.from_env(version="auto", timeout=_API_SECONDS).api


def _wait(name: str, status: list[int]) -> None:
    with contextlib.suppress(docker.errors.APIError):  # it ended before we asked
        status.append(int(_connect().wait(name, timeout=None, condition="next-exit")["StatusCode"]))


def _leave_with_parent(worker: socket.socket) -> None:
    """End at once when the parent's end closes, even while bytes are on their way in either direction."""
    poll = select.poll()
    poll.register(worker, 0)  # nothing but the hang-up
    poll.poll()
    os._exit(0)


def _inward(worker: socket.socket, stream: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the container is gone: the main thread tells
        while data := worker.recv(_CHUNK):
            stream.sendall(data)


def _outward(stream: socket.socket, worker: socket.socket) -> None:
    """Take the stream apart: frames of kind and length, see "Attach to a container" of Docker's Engine API."""
    with io.BufferedReader(socket.SocketIO(stream, "r"), _CHUNK) as reader:
        while len(header := reader.read(_FRAME)) == _FRAME:
            left = int.from_bytes(header[4:], "big")
            while left and (data := reader.read1(min(left, _CHUNK))):
                left -= len(data)
                if header[0] == _STDERR:
                    _write(_STDERR, data)
                else:
                    worker.sendall(data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _watch(name: str) -> int:
    """Fork the watcher; return the pipe whose end tells it that this process is gone."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)
        return writing
    with contextlib.suppress(BaseException):  # a forked copy must end here, whatever happens
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.dup2(0, 2)
        os.closerange(3, reading)
        os.closerange(reading + 1, os.sysconf("SC_OPEN_MAX"))
        created = False
        while said := os.read(reading, 1):
            created = said == _CREATED
        _remove(name, created=created)
    os._exit(0)


def _remove(name: str, *, created: bool) -> None:
    """Remove a container; where its creation was under way, wait for it to appear."""
    api = _connect()
    deadline = time.monotonic() + _WATCH_SECONDS
    while time.monotonic() < deadline:
        try:
            api.remove_container(name, force=True)
            return
        except docker.errors.NotFound:
            if created:
                return
        except docker.errors.APIError as error:
            if error.status_code == _CONFLICT:  # the daemon removes it already
                return
        time.sleep(_RETRY_SECONDS)


if __name__ == "__main__":
    try:
        code = main(json.loads(sys.argv[1]))
    except (StartError, docker.errors.DockerException) as problem:
        print(f"the container could not be run: {problem}", file=sys.stderr)  # noqa: T201
        code = 1
    sys.stderr.flush()
    os._exit(code)
