"""Containers, for who asks for them: every worker runs in one of its own, made from a local image."""

from __future__ import annotations

import json
import os
import socket
import sys
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.errors import MissingDependencyError
from sandbox.isolation.base import (
    ENVIRONMENT,
    Command,
    Isolation,
    WorkerSpec,
    python_command,
    resource_mounts,
    source_root,
)
from sandbox.worker import supervisor

IMAGE_VARIABLE = "WARPWRIGHT_SANDBOX_IMAGE"
"""The environment variable that names the image of the workers."""

DEFAULT_IMAGE = "warpwright-sandbox"
PACKAGES_LABEL = "org.warpwright.packages"
"""Label of the image: import names of the packages that it holds below `_SITE`, between blanks."""

PARENT_LABEL = "org.warpwright.parent"
"""Label of every container: the pid of the process that asked for it, for people; see also `container_client`."""

_INSIDE = "/warpwright"
_SITE = "/opt/warpwright/site"
_CLIENT = "sandbox/isolation/container_client.py"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_USER = "65534:65534"
_PROCESSES = 64
_TMP_BYTES = 256 << 20
_SUPERVISOR_BYTES = 64 << 20
_PROBE_SECONDS = 10
_PASSED_ON = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "HOME")
_BUILD = "docker build --target sandbox -t {image} . (in a checkout of warpwright)"


class DockerIsolation(Isolation):
    """No network, a read-only root, no capabilities, nobody's rights, limits on memory, processes and /tmp.

    The image gives Python and NumPy; warpwright's own `sandbox` package, NVRTC and CUDA's headers are bound from
    this machine, so that what is compiled and judged does not depend on the image. Only a daemon that sees
    this machine's files can serve. See docs/adr/0006.
    """

    def __init__(self, image: str, packages: frozenset[str]) -> None:
        """Use this image, which holds these packages; ask `find()` for one that is known to be there."""
        self._image = image
        self._packages = packages

    @property
    def name(self) -> str:
        """See `Isolation`."""
        return "docker"

    @property
    def description(self) -> str:
        """See `Isolation`."""
        return f"docker (image {self._image})"

    @property
    def warning(self) -> str | None:
        """See `Isolation`."""
        return None

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        """See `Isolation`."""
        missing = [name for name in spec.packages if name not in self._packages]
        if missing:
            raise MissingDependencyError(
                f"the Docker image {self._image} lacks {', '.join(missing)}; build it anew: "
                + _BUILD.format(image=self._image)
            )
        settings = json.dumps({"fd": fd, "config": self._container(spec)})
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # -I: this program must not import what lies beside it, or in the current folder.
        return Command((sys.executable, "-I", "-B", str(source_root() / _CLIENT), settings), environment)

    def _container(self, spec: WorkerSpec) -> dict[str, Any]:
        """Return the container's configuration in the terms of Docker's Engine API ("Create a container")."""
        files, resources = resource_mounts(spec, _INSIDE)
        _, *worker = python_command(  # without the interpreter: that of the image is used
            f"{_INSIDE}/app", spec, supervisor.WORKER_FD, paths=[_SITE], resources=resources, processes=None
        )
        mounts = [(str(source_root() / "sandbox"), f"{_INSIDE}/app/sandbox"), *files]
        gpu = str(spec.gpu) if spec.gpu is not None else None
        return {
            "Image": self._image,
            "Entrypoint": ["python3", "-I", "-S", "-B", f"{_INSIDE}/app/sandbox/worker/supervisor.py"],
            "Cmd": worker,
            "User": _USER,
            "WorkingDir": "/tmp",
            "Hostname": "worker",
            "Env": [f"{key}={value}" for key, value in _environment(gpu).items()],
            "Healthcheck": {"Test": ["NONE"]},
            "OpenStdin": True,
            "StdinOnce": True,  # the container's input ends when the client does
            "NetworkDisabled": True,
            "Labels": {"org.warpwright.role": spec.role, PARENT_LABEL: str(os.getpid())},
            "HostConfig": {**_confinement(spec.memory_bytes), "Mounts": [_bind(*pair) for pair in mounts]}
            | ({"DeviceRequests": [_device(gpu)]} if gpu is not None else {}),
        }


def find() -> DockerIsolation:
    """Return the isolation by the daemon and the image that the environment names, else the usual ones.

    Raises:
        MissingDependencyError: There is no daemon that answers, or no such image; the text says what to do.
    """
    image = os.environ.get(IMAGE_VARIABLE) or DEFAULT_IMAGE
    return DockerIsolation(image, _packages(image, os.environ.get("DOCKER_HOST")))


@cache
def _packages(image: str, host: str | None) -> frozenset[str]:
    """Ask the daemon for the image; `host` is there for the cache only."""
    try:
        import docker
    except ImportError as error:
        raise MissingDependencyError(
            "the Python package docker is not installed: pip install docker"
        ) from error
    library: Any = docker
    where = f" at {host}" if host else ""
    none = f"no Docker daemon answers{where}: start it, or set DOCKER_HOST"
    try:
        _knock(host or _DEFAULT_HOST)
        client = library.from_env(timeout=_PROBE_SECONDS)
    except (OSError, library.errors.DockerException) as error:
        raise MissingDependencyError(f"{none} ({error!s:.200})") from error
    try:
        labels: Any = client.images.get(image).labels
    except library.errors.ImageNotFound as error:
        raise MissingDependencyError(
            f"the Docker daemon{where} has no image {image}; build it: " + _BUILD.format(image=image)
        ) from error
    except library.errors.DockerException as error:
        raise MissingDependencyError(f"the Docker daemon{where} does not work: {error!s:.200}") from error
    finally:
        client.close()
    return frozenset(str(labels.get(PACKAGES_LABEL, "")).split())


def _knock(host: str) -> None:
    """Connect once: where that fails, the SDK leaves its socket to the garbage collector, with a warning.

    Raises:
        OSError: Nobody listens.
    """
    scheme, _, path = host.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as tried:
            tried.connect(path)


def _environment(gpu: str | None) -> dict[str, str]:
    # Images for CUDA ask for every GPU; where NVIDIA's runtime is the default one, that would hand them out.
    kept = {
        key: value for key, value in ENVIRONMENT.items() if key != "PATH"
    }  # python3 is found by the image's
    return kept | ({} if gpu is not None else {"NVIDIA_VISIBLE_DEVICES": "void"})


def _confinement(memory_bytes: int) -> dict[str, Any]:
    memory = memory_bytes + _TMP_BYTES + _SUPERVISOR_BYTES
    return {
        "AutoRemove": True,
        "NetworkMode": "none",
        "Dns": ["127.0.0.1"],  # else /etc/resolv.conf is the machine's own
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": f"rw,nosuid,nodev,noexec,mode=1777,size={_TMP_BYTES}"},
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "PidsLimit": _PROCESSES,
        "Memory": memory,
        "MemorySwap": memory,  # no swap on top
        "IpcMode": "none",  # no /dev/shm
        "CgroupnsMode": "private",
        "LogConfig": {"Type": "none"},  # what a worker prints must not fill the disk
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
    }


def _bind(source: str, inside: str) -> dict[str, Any]:
    resolved = str(Path(source).resolve())
    return {"Type": "bind", "Source": resolved, "Target": inside, "ReadOnly": True}


def _device(gpu: str) -> dict[str, Any]:
    return {"Driver": "", "Count": 0, "DeviceIDs": [gpu], "Capabilities": [["gpu"]], "Options": {}}
