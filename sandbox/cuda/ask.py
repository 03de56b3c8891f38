"""Says what a GPU is, as JSON: a program of its own, because a driver that hangs must not hang the parent.

Run by path with the GPU's bus id; needs the standard library only, and makes no context.
"""

from __future__ import annotations

import ctypes
import json
import sys

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_NAME_BYTES = 256


def main(bus_id: str) -> int:
    """Print name and architecture; return the CUresult of the first call that failed, at most 255."""
    cuda = ctypes.CDLL("libcuda.so.1")
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    status = (
        cuda.cuInit(0)
        or cuda.cuDeviceGetByPCIBusId(ctypes.byref(device), bus_id.encode())
        or cuda.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        or cuda.cuDeviceGetName(name, _NAME_BYTES, device)
    )
    if status:
        sys.stderr.write(f"CUDA error {status}\n")
        return min(255, status)
    sys.stdout.write(
        json.dumps({"name": name.value.decode(), "architecture": f"sm_{major.value}{minor.value}"})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
