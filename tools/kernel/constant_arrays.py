"""`//@ constant`: what host code does with cudaMemcpyToSymbol before launches, as a launch of a kernel of ours.

No kernel can write to constant memory, so an array that is filled this way lies in global memory; its values, and
what the code reads, are the same. A remark says so, for on a GPU the constant cache would serve it.
"""

from __future__ import annotations

import re

from sandbox.plan import BufferArgument, BufferSpec, Launch, ScalarArgument
from tools.kernel.directives import ConstantArray
from tools.kernel.source_text import masked

_THREADS = 256
_KERNEL = """
extern "C" __global__ void {kernel}(const {kind}* from, long long count) {{
    {kind}* to = ({kind}*)&{name};
    long long size = sizeof({name}) / sizeof({kind});
    for (long long i = threadIdx.x; i < count && i < size; i += {threads}) to[i] = from[i];
}}
"""
_DECLARED = r"__constant__(\s+(?:[A-Za-z_][\w:]*\s+){{1,4}}){name}\s*(?:\[[^\]]*\]\s*){{1,3}};"


def copy_name(array: ConstantArray) -> str:
    """Return the name of the kernel that fills an array."""
    return f"warpwright_constant_{array.name}"


def in_global_memory(source: str, array: ConstantArray) -> tuple[str, str] | None:
    """Return a source with the array in global memory, and the kernel that fills it; None where it declares none.

    Every character of the source keeps its place.
    """
    found = re.search(_DECLARED.format(name=re.escape(array.name)), masked(source))
    if found is None:
        return None
    kind = " ".join(found[1].split())
    changed = f"{source[: found.start()]}__device__  {source[found.start() + len('__constant__') :]}"
    return changed, _KERNEL.format(kernel=copy_name(array), name=array.name, kind=kind, threads=_THREADS)


def copy_launch(array: ConstantArray, buffer: BufferSpec) -> Launch:
    """Return the launch that fills an array from a buffer, as far as either goes."""
    arguments = (BufferArgument(buffer.name), ScalarArgument("int64", buffer.size))
    return Launch(copy_name(array), (1, 1, 1), (_THREADS, 1, 1), 0, arguments, array.line)
