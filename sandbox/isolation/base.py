"""What every isolation does: turn a worker's specification into the command that starts it, confined."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import sandbox
from sandbox.errors import MissingDependencyError

ENTRY = "sandbox/worker/__main__.py"
"""The worker's program, relative to the folder that holds the `sandbox` package."""

ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "HOME": "/tmp",
    "PATH": "",  # libraries that look for others by asking a compiler find none
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    # Arrays of a batch's lanes come and go all the time: glibc is to keep their pages.
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
"""All that a worker's environment holds; nothing of the parent's (its keys!) is passed on."""


_LIBRARY_FOLDERS = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib32",
    "/lib",
    "/lib64",
    "/lib32",
    "/nix/store",
    "/gnu/store",
)


OPTIONAL = frozenset({"ml_dtypes", "nvidia"})
"""Packages that a worker does without where they are not installed: only bfloat16 needs the first, and PyTorch's
builds for CUDA, which load NVIDIA's libraries as they are imported, the second."""


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker is and what it may see.

    Attributes:
        role: A role of `sandbox.worker.roles`.
        memory_bytes: Limit on the worker's address space; with a GPU, on its private memory.
        packages: Import names of the installed packages that the role needs, for example `numpy`.
        resources: Names, and the host files or folders that the role reads under each of them.
        file_bytes: Limit on each file that the worker writes.
        threads: The worker may start threads (processes: see `programs`). How many is limited for ordinary
            users, and by the container's limit under docker; the kernel counts no threads of root.
        writes: The worker may write files, where the isolation leaves it a place to.
        programs: The worker may start the programs that it sees, which inherit its limits.
        system: Files and devices of the system that libraries of the role read, where they lie.
        gpu: Index of the NVIDIA GPU that the worker uses, or None.
    """

    role: str
    memory_bytes: int
    packages: tuple[str, ...] = ("numpy", "ml_dtypes")
    resources: tuple[tuple[str, tuple[Path, ...]], ...] = ()
    file_bytes: int = 64 << 20
    threads: bool = False
    writes: bool = False
    programs: bool = False
    system: tuple[str, ...] = ()
    gpu: int | None = None


@dataclass(frozen=True)
class Command:
    """How to start a worker: its arguments, and its whole environment."""

    argv: tuple[str, ...]
    environment: dict[str, str]


class Isolation(ABC):
    """One way to confine worker processes.

    The caller starts `command(...)` with the descriptor `fd` inherited, standard input empty, in a process group
    of its own (where `has_terminal()`, in a session of its own), and ends it by SIGKILL to that group; every
    implementation makes that end all of it.
    Where a worker runs elsewhere (a container), the command is a client that passes the socket's bytes on and
    takes the worker with it when it ends.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """`bubblewrap`, `docker` or `process`; recorded with every verdict."""

    @property
    def description(self) -> str:
        """The name, and what else a person may want to know of it; `doctor` shows it."""
        return self.name

    @property
    @abstractmethod
    def warning(self) -> str | None:
        """One line that says what this isolation does not stop, or None."""

    @abstractmethod
    def command(self, spec: WorkerSpec, fd: int) -> Command:
        """Return the command for a worker that speaks on the inherited socket `fd`.

        Raises:
            MissingDependencyError: A package that the role needs is not installed.
        """


@dataclass(frozen=True)
class Package:
    """An installed package, or a module of one file.

    Attributes:
        source: Where it lies.
        relative: Where it belongs, below a folder on the import path.
    """

    source: Path
    relative: str


def installed(names: Iterable[str]) -> list[Package]:
    """Find packages on this interpreter's import path, with the folders of shared libraries beside them.

    Raises:
        MissingDependencyError: One of them is not installed, and is none of `OPTIONAL`.
    """
    found: list[Package] = []
    for name in names:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            spec = None
        if spec is None and name in OPTIONAL:
            continue
        if spec is not None and spec.origin and not spec.submodule_search_locations:
            file = Path(spec.origin)
            found.append(Package(file, file.name))
            continue
        if spec is None or not spec.submodule_search_locations:
            raise MissingDependencyError(
                f"the Python package {name} is not installed here: pip install {name.replace('.', '-')}"
            )
        relative = name.replace(".", "/")
        for location in map(Path, spec.submodule_search_locations):
            found.append(Package(location, relative))
            libraries = location.with_name(location.name + ".libs")  # where wheels keep what they link to
            if libraries.is_dir():
                found.append(Package(libraries, libraries.name))
    return found


def import_root(package: Package) -> Path:
    """Return the folder on the import path that holds the package."""
    return package.source.parents[package.relative.count("/")]


def has_terminal() -> bool:
    """Say whether this process has a controlling terminal, which workers must be kept away from by a session.

    Without one they stay in ours: Linux's autogroups (sched(7)) share out the processors by session, so that
    sessions of their own would each weigh as much as the server that its clients wait for.
    """
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def source_root() -> Path:
    """Return the folder that holds the `sandbox` package."""
    return Path(next(iter(sandbox.__path__))).resolve().parent


def interpreter() -> Path:
    """Return the real interpreter behind a virtual environment's link."""
    return Path(sys.executable).resolve()


def library_folders() -> list[Path]:
    """Return the folders of the system's libraries that are here, links as they are."""
    return [folder for folder in map(Path, _LIBRARY_FOLDERS) if folder.is_symlink() or folder.is_dir()]


def own_files() -> list[Path]:
    """Return the interpreter and its standard library, wherever it was installed."""
    library = Path(sysconfig.get_path("stdlib")).resolve()
    return [Path(sys.base_prefix).resolve() / "lib", library, interpreter()]


def resource_mounts(spec: WorkerSpec, root: str) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Return where the files of `spec.resources` go below the folder `root` inside: (host, inside), by name."""
    mounts: list[tuple[str, str]] = []
    resources: dict[str, list[str]] = {}
    for name, files in spec.resources:
        resources[name] = [f"{root}/{name}/{index}/{path.name}" for index, path in enumerate(files)]
        mounts += [(str(path), inside) for path, inside in zip(files, resources[name], strict=True)]
    return mounts, resources


def python_command(
    root: str,
    spec: WorkerSpec,
    fd: int,
    *,
    paths: list[str],
    resources: dict[str, list[str]],
    processes: int | None,
    visible: dict[str, list[str]] | None = None,
) -> list[str]:
    """Return the interpreter's arguments that run the worker.

    Args:
        root: The folder that holds `sandbox`, as the worker sees it.
        spec: What the worker is.
        fd: The inherited socket.
        paths: Folders with installed packages, as the worker sees them.
        resources: The files of `spec.resources`, as the worker sees them.
        processes: Limit on processes and threads of the worker's user, or None.
        visible: What Landlock leaves of the file system, see `sandbox.worker.landlocked`; None to do without.
    """
    settings = {
        "role": spec.role,
        "fd": fd,
        "paths": [root, *paths],
        "resources": resources,
        "memory_bytes": spec.memory_bytes,
        "file_bytes": spec.file_bytes,
        "processes": processes,
        "parent": os.getpid(),
        "visible": visible,
        "filter_calls": {"threads": spec.threads, "writes": spec.writes, "programs": spec.programs},
        "gpu": spec.gpu is not None,
    }
    # -I: no environment, no user packages, no current folder; -S: no site-packages and no .pth files.
    return [str(interpreter()), "-I", "-S", "-B", f"{root}/{ENTRY}", json.dumps(settings)]
