"""The weakest isolation: limits, Landlock and an empty environment, where bubblewrap cannot start."""

from __future__ import annotations

from pathlib import Path

from sandbox.errors import MissingDependencyError
from sandbox.isolation import gpu
from sandbox.isolation.base import (
    ENVIRONMENT,
    Command,
    Isolation,
    WorkerSpec,
    import_root,
    installed,
    library_folders,
    own_files,
    python_command,
    source_root,
)

_LANDLOCK_PACKAGE = "landlockpy"


class ProcessIsolation(Isolation):
    """A child process that confines itself before it reads any request (see `sandbox.worker.limits`).

    It shares the host's file system, network and process numbers. The filter on system calls keeps it from
    writing, connecting, signalling and starting processes; Landlock, where the kernel has it, from reading.
    """

    def __init__(self, *, landlock: bool | None = None) -> None:
        """Choose whether Landlock is used; None for where it can be (`landlock_abi`)."""
        self._landlock = landlock_abi() > 0 if landlock is None else landlock

    @property
    def name(self) -> str:
        """See `Isolation`."""
        return "process"

    @property
    def description(self) -> str:
        """See `Isolation`."""
        return f"process, {'with' if self._landlock else 'without'} Landlock"

    @property
    def warning(self) -> str | None:
        """See `Isolation`."""
        if self._landlock:
            return (
                "isolation is 'process' with Landlock: code in a worker can read no file of yours, but it can "
                "tell which files and processes there are; bubblewrap or docker would hide them"
            )
        return (
            "isolation is 'process' without Landlock: code in a worker can read every file that you can read, "
            "and with them the environment of your programs (keys!)"
        )

    @property
    def landlock(self) -> bool:
        """Whether workers give up the file system by Landlock."""
        return self._landlock

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        """See `Isolation`."""
        names = (*spec.packages, _LANDLOCK_PACKAGE) if self._landlock else spec.packages
        packages = installed(names)
        roots = list(dict.fromkeys(str(import_root(package)) for package in packages))
        resources = {name: [str(path) for path in files] for name, files in spec.resources}
        visible = None
        if self._landlock:
            readable = [source_root() / "sandbox", *library_folders(), *own_files()]
            readable += [package.source for package in packages]
            readable += [path for _, files in spec.resources for path in files]
            # The import system lists the folders on its path; source_root() may be somebody's project.
            visible = {"readable": [str(path) for path in readable], "listable": [*roots, str(source_root())]}
            visible["readable"] += spec.system
            if spec.gpu is not None:
                visible["readable"] += [*map(str, _driver_files()), "/proc/self"]
                visible["usable"] = [str(node) for node in gpu.device_nodes(spec.gpu)]
        # No limit on processes: it would count everything else that the user runs.
        argv = python_command(
            str(source_root()), spec, fd, paths=roots, resources=resources, processes=None, visible=visible
        )
        added = gpu.environment() if spec.gpu is not None else {}
        return Command(tuple(argv), ENVIRONMENT | added)


def _driver_files() -> list[Path]:
    folder = gpu.library_folder()
    return [*gpu.system_files(), *([folder] if folder else [])]


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel has and that can be used; 0 where there is none."""
    try:
        installed((_LANDLOCK_PACKAGE,))
        from landlockpy import abi_version
    except (MissingDependencyError, ImportError):
        return 0
    return abi_version()
