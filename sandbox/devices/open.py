"""From the name of a device to the device."""

from __future__ import annotations

import re

from sandbox.device import Device
from sandbox.devices.simulated import PREFIX, SimulatedDevice, simulated_names
from sandbox.errors import MissingDependencyError, UsageError
from sandbox.isolation.base import Isolation

DEFAULT = "sim:h200"


def device_name(name: str = "auto") -> str:
    """Resolve `auto` and check the name.

    `auto` is `sim:h200` on every machine for now: this version has no device for real GPUs, so it does not
    look for any. Once it has one, `auto` will be `cuda:0` where an NVIDIA GPU and PyCUDA are present.

    Raises:
        UsageError: There is no such device; the text lists those there are.
        MissingDependencyError: A real GPU was asked for.
    """
    if name == "auto":
        return DEFAULT
    if re.fullmatch(r"cuda(:\d+)?", name):
        raise MissingDependencyError(
            f"device {name}: running on real GPUs comes with a later version of warpwright; "
            f"until then use a simulated one, such as --device {DEFAULT}"
        )
    if not name.startswith(PREFIX) or name not in simulated_names():
        known = ", ".join(("auto", *simulated_names()))
        raise UsageError(f"unknown device {name!r}: expected one of {known}")
    return name


def open_device(name: str, isolation: Isolation, *, workers: int = 1) -> Device:
    """Return the device of that name; nothing is started until it is used.

    Args:
        name: `auto` or a device's name.
        isolation: How its workers are confined.
        workers: How many plans may run at once.

    Raises:
        UsageError: There is no such device; the text lists those there are.
        MissingDependencyError: A real GPU was asked for.
    """
    return SimulatedDevice(device_name(name), isolation, workers=workers)
