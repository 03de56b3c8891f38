"""The NVIDIA GPUs of this machine, and what a worker must see of the system to use one."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

LIBRARY = "libcuda.so.1"

_LIST = Path("/proc/driver/nvidia/gpus")
_NODES = Path("/dev")
_SHARED_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
_LIBRARY_FOLDERS = (
    "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
    "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib",
)  # fmt: skip
_SYSTEM = (
    "/proc/driver/nvidia",
    "/proc/devices",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/bus/pci",
    "/sys/devices",
)


@dataclass(frozen=True)
class GpuNode:
    """One GPU that has a device node here; its number is its place in the order of bus ids, as for nvidia-smi."""

    bus_id: str
    node: Path


def gpus(listed: Path = _LIST, nodes: Path = _NODES) -> list[GpuNode]:
    """Return the GPUs that the driver lists and that have a node (a container may be given some of them only)."""
    found: list[GpuNode] = []
    for folder in sorted(listed.iterdir()) if listed.is_dir() else []:
        try:
            told = (folder / "information").read_text(errors="replace")
        except OSError:
            continue
        minor = re.search(r"^Device Minor:\s*(\d+)", told, flags=re.M)
        if minor and (nodes / f"nvidia{minor[1]}").exists():
            found.append(GpuNode(folder.name, nodes / f"nvidia{minor[1]}"))
    return found


def device_nodes(index: int) -> list[Path]:
    """Return the nodes that a worker needs for the GPU of that number; none of the other GPUs'."""
    present = gpus()
    own = [present[index].node] if index < len(present) else []
    return [*own, *(path for name in _SHARED_NODES if (path := _NODES / name).exists())]


def library_folder() -> Path | None:
    """Return the folder of the driver's library; None where it is not found."""
    named = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = (Path(folder) for folder in (*_LIBRARY_FOLDERS, *named) if folder.startswith("/"))
    return next((folder for folder in folders if (folder / LIBRARY).exists()), None)


def system_files() -> list[Path]:
    """Return what the driver's library reads of the system."""
    return [path for path in map(Path, _SYSTEM) if path.exists()]


def environment() -> dict[str, str]:
    """Return what a worker's environment needs beside the usual: without /etc the loader knows no folders."""
    folder = library_folder()
    return {"LD_LIBRARY_PATH": str(folder)} if folder else {}
