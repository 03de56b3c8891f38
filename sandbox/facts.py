"""What this machine has and lacks, for `warpwright doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sandbox.compiler.toolkit import find_toolkit
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.isolation.choose import choose_isolation, why_not_stronger
from sandbox.isolation.process import landlock_abi
from sandbox.nsight import gpu_facts
from sandbox.nsight.counters import COUNTERS_FORBIDDEN
from sandbox.nsight.profiler import NOT_INSTALLED as NO_NCU
from sandbox.nsight.programs import find_program
from sandbox.nsight.sanitizer import NOT_INSTALLED as NO_SANITIZER

_LEAST_MEMORY_GIB = 4
_INSTALL_MMA = 'pip install "nvidia-cuda-crt>=13.0,<13.1"'


@dataclass(frozen=True)
class Fact:
    """One line of the report; `advice` says what to do where `ok` is false, else it is empty."""

    name: str
    ok: bool
    value: str
    advice: str = ""


def facts() -> list[Fact]:
    """Look at this machine; starts no worker; takes well under a second, unless a GPU driver hangs."""
    numpy = Fact("numpy", True, np.__version__)
    return [_python(), numpy, *_compiler(), *_isolation(), *_gpus(), _cores(), _memory()]


def _python() -> Fact:
    return Fact("python", True, f"{platform.python_version()} ({platform.machine()}, {platform.system()})")


def _compiler() -> list[Fact]:
    try:
        toolkit = find_toolkit()
    except MissingDependencyError as error:
        return [Fact("CUDA compiler", False, "not found", str(error))]
    mma = any((folder / "crt/mma.h").exists() for folder in toolkit.include)
    return [
        Fact("CUDA compiler", True, f"NVRTC {_version('nvidia-cuda-nvrtc')}"),
        Fact("CUDA headers", True, f"{_version('nvidia-cuda-runtime')}, CCCL {_version('nvidia-cuda-cccl')}"),
        Fact("mma.h", True, "found") if mma else Fact("mma.h", False, "not found", _INSTALL_MMA),
    ]


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _isolation() -> list[Fact]:
    try:
        isolation = choose_isolation()
    except (UsageError, MissingDependencyError) as error:
        return [Fact("isolation", False, "none", str(error))]
    reason = why_not_stronger(isolation)
    advice = f"{reason}; docs/sandbox.md says what each isolation stops" if reason else ""
    return [Fact("isolation", not reason, isolation.description, advice), _landlock(isolation.name)]


def _landlock(isolation: str) -> Fact:
    version = landlock_abi()
    if version:
        missing = [what for least, what in ((4, "network"), (6, "signals and sockets")) if version < least]
        short = f", without {' and '.join(missing)}" if missing else ""
        return Fact("Landlock", True, f"version {version}{short}, for the process isolation")
    if isolation != "process":
        return Fact("Landlock", True, "none, and not needed")
    advice = "without it a worker can read your files: Linux 5.13 or newer with lsm=landlock, pip install landlockpy"
    return Fact("Landlock", False, "none", advice)


def _gpus() -> list[Fact]:
    if not Path("/proc/driver/nvidia").is_dir() and find_program("nvidia-smi") is None:
        return [Fact("GPU", True, "none; kernels run on the simulator, and latencies are estimated")]
    asked = gpu_facts.query()
    if asked.problem or not asked.found:
        advice = "look at the driver: `nvidia-smi`, the kernel's log"
        return [Fact("GPU", False, asked.problem or "the driver names none", advice)]
    found = [_gpu(index, gpu) for index, gpu in enumerate(asked.found)]
    return [
        *found,
        _counters(),
        _tool("ncu", "Nsight Compute", NO_NCU),
        _tool("compute-sanitizer", "sanitizer", NO_SANITIZER),
    ]


def _gpu(index: int, gpu: gpu_facts.Gpu) -> Fact:
    held = f"clocks are held back ({', '.join(gpu.throttled)}): times are longer than they need be"
    return Fact(
        f"GPU cuda:{index}", not gpu.throttled, gpu_facts.describe(gpu), held if gpu.throttled else ""
    )


def _counters(parameters: Path = Path("/proc/driver/nvidia/params")) -> Fact:
    """Whether the driver lets ordinary users read performance counters; it says so itself."""
    try:
        said = parameters.read_text(errors="replace")
    except OSError:
        return Fact("GPU counters", True, "not said who may read them")
    restricted = "RmProfilingAdminOnly: 1" in said
    if not restricted or os.geteuid() == 0:
        return Fact("GPU counters", True, "may be read")
    return Fact("GPU counters", False, "only administrators may read them", COUNTERS_FORBIDDEN)


def _tool(program: str, name: str, advice: str) -> Fact:
    found = find_program(program)
    return Fact(name, found is not None, str(found or "not found"), "" if found else advice)


def _cores() -> Fact:
    return Fact("cores", True, str(len(os.sched_getaffinity(0))))


def _memory() -> Fact:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    enough = size >= _LEAST_MEMORY_GIB
    advice = "" if enough else f"{_LEAST_MEMORY_GIB} GiB are advised; large tests may end as resource_limit"
    return Fact("memory", enough, f"{size:.1f} GiB", advice)
