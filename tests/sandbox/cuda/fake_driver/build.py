"""Builds the driver without a GPU: `python build.py FOLDER INCLUDE` writes libcuda.so.1 and libcuda.so there.

Needs a C compiler and cuda.h of CUDA 13 in the folder INCLUDE. The library has every function that cuda.h declares,
so PyCUDA can also be linked against it on a machine without a driver.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUS_ID = "0000:01:00.0"
NAME = "Stand-in H200"

_SOURCE = Path(__file__).with_name("libcuda.c")
_DECLARED = re.compile(r"\bCUresult\s+(cu\w+)\s*\(")
_PROFILER = {"cuProfilerInitialize", "cuProfilerStart", "cuProfilerStop"}
"""Of cudaProfiler.h, which not every package of headers has."""


def compiler() -> str | None:
    """The C compiler; None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path, include: Path, *, nodes: Sequence[str] = ()) -> Path:
    """Compile the library; there is a device only for processes that may open all of `nodes`."""
    cc = compiler()
    assert cc is not None, "no C compiler"
    header = subprocess.run(
        [cc, "-E", "-P", "-I", str(include), "-include", "cuda.h", "-x", "c", "/dev/null"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = sorted({*_DECLARED.findall(header), *_PROFILER})
    stubs = folder / "stubs.c"
    # 801 is CUDA_ERROR_NOT_SUPPORTED; weak, so that what libcuda.c defines takes their place.
    stubs.write_text("".join(f"__attribute__((weak)) int {name}(void) {{ return 801; }}\n" for name in names))
    library = folder / "libcuda.so.1"
    quoted = "".join(f'"{node}",' for node in nodes)
    command = [
        cc, "-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libcuda.so.1",
        "-D_GNU_SOURCE", f'-DNAME="{NAME}"', f'-DBUS_ID="{BUS_ID}"', f"-DNODES={quoted}", "-isystem", str(include),
        "-o", str(library), str(_SOURCE), str(stubs), "-lpthread", "-ldl",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    (folder / "libcuda.so").symlink_to(library.name)
    return library


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    build(Path(sys.argv[1]), Path(sys.argv[2]))
