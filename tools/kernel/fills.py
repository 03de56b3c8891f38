"""`//@ zero` and `//@ fill`: what host code does with cudaMemset before launches, as a launch of a kernel of ours."""

from __future__ import annotations

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import BufferArgument, BufferSpec, Launch, ScalarArgument

_THREADS = 256
_MOST_BLOCKS = 1 << 16
_WORDS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}
_KERNEL = """
extern "C" __global__ void {name}({word}* buffer, long long count, unsigned long long bits) {{
    long long step = (long long)gridDim.x * {threads};
    for (long long i = (long long)blockIdx.x * {threads} + threadIdx.x; i < count; i += step)
        buffer[i] = ({word})bits;
}}
"""


def fill_name(buffer: BufferSpec) -> str:
    """Return the name of the kernel that fills buffers of such elements."""
    return f"warpwright_fill_{DTYPE_BYTES[buffer.dtype]}"


def fill_source(name: str) -> str:
    """Return the text of that kernel, to stand behind a kernel file."""
    word = _WORDS[int(name.rpartition("_")[2])]
    return _KERNEL.format(name=name, word=word, threads=_THREADS)


def fill_launch(buffer: BufferSpec, value: float, line: int) -> Launch:
    """Return the launch that writes a value, in the buffer's dtype, to every element.

    Raises:
        OverflowError: The dtype does not hold the value.
    """
    if "float" not in buffer.dtype:
        value = int(value)
        limits = np.iinfo(np.uint8 if buffer.dtype == "bool" else numpy_dtype(buffer.dtype))
        if not limits.min <= value <= (1 if buffer.dtype == "bool" else limits.max):
            raise OverflowError(value)
    element = np.asarray([value]).astype(numpy_dtype(buffer.dtype))
    bits = int.from_bytes(element.tobytes(), "little")
    blocks = min(-(-buffer.size // _THREADS), _MOST_BLOCKS)
    arguments = (
        BufferArgument(buffer.name),
        ScalarArgument("int64", buffer.size),
        ScalarArgument("uint64", bits),
    )
    return Launch(fill_name(buffer), (blocks, 1, 1), (_THREADS, 1, 1), 0, arguments, line)
