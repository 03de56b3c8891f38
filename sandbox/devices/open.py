"""From the name of a device to the device."""

from __future__ import annotations

import re

from sandbox.device import Device
from sandbox.devices.cuda_present import find_gpu, usable
from sandbox.devices.simulated import PREFIX, SimulatedDevice, simulated_names
from sandbox.errors import UsageError
from sandbox.isolation.base import Isolation

DEFAULT = "sim:h200"
_CUDA = re.compile(r"cuda(?::(\d{1,3}))?")


def device_name(name: str = "auto", *, gpu: bool | None = None) -> str:
    """Resolve `auto` and check the name; whether a GPU of that number is there is seen when it is opened.

    Args:
        name: `auto`, which is `cuda:0` where an NVIDIA GPU, its driver and PyCUDA are present and else
            `sim:h200`; or a device's name, `cuda` being `cuda:0`.
        gpu: Whether there is a GPU that can be used; None to look.

    Raises:
        UsageError: There is no such device; the text lists those there are.
    """
    if name == "auto":
        return "cuda:0" if (usable() if gpu is None else gpu) else DEFAULT
    match = _CUDA.fullmatch(name)
    if match:
        return f"cuda:{int(match[1] or 0)}"
    if not name.startswith(PREFIX) or name not in simulated_names():
        known = ", ".join(("auto", *simulated_names(), "cuda:N"))
        raise UsageError(f"unknown device {name!r}: expected one of {known}")
    return name


def open_device(name: str, isolation: Isolation, *, workers: int = 1) -> Device:
    """Return the device of that name; no worker is started until it is used.

    Args:
        name: `auto` or a device's name.
        isolation: How its workers are confined.
        workers: How many plans may run at once on a simulator; on a GPU it is one.

    Raises:
        UsageError: There is no such device; the text lists those there are.
        MissingDependencyError: There is no such GPU, or no driver or PyCUDA for it.
    """
    resolved = device_name(name)
    if resolved.startswith("cuda:"):
        from sandbox.devices.cuda import CudaDevice  # with all of Nsight, which most machines have no use for

        return CudaDevice.on(find_gpu(int(resolved.removeprefix("cuda:"))), isolation)
    return SimulatedDevice(resolved, isolation, workers=workers)
