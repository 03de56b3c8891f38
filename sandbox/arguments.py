"""Arguments of a launch as the bytes that a kernel's parameters hold."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from sandbox.dtypes import numpy_dtype
from sandbox.plan import BufferArgument, PassedArgument, StructArgument


def argument_bytes(argument: PassedArgument, address: Callable[[str], int]) -> bytes:
    """Return an argument in little-endian bytes: an address, a scalar in its dtype, a struct with zeros as padding.

    Args:
        argument: What is passed.
        address: Returns where the buffer of a name lies in device memory.
    """
    if isinstance(argument, BufferArgument):
        return struct.pack("<Q", address(argument.name))
    if isinstance(argument, StructArgument):
        data = bytearray(argument.size)
        for offset, member in argument.members:
            part = argument_bytes(member, address)
            data[offset : offset + len(part)] = part
        return bytes(data)
    return np.array(argument.value, numpy_dtype(argument.dtype)).tobytes()
