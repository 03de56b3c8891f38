"""Form `tvm-ffi`: the launcher in C++ as a library of TVM-FFI, whose functions take tensors by DLPack."""

from __future__ import annotations

from agent.export.cuda_form import launcher_files
from agent.export.packages import KernelPackage
from agent.export.rendering import rendered


def tvm_ffi_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of the library."""
    made = {
        "src/tvm_ffi.cpp": rendered("tvm_ffi/binding.cpp.j2", package),
        "CMakeLists.txt": rendered("tvm_ffi/CMakeLists.txt.j2", package),
        "example.py": rendered("tvm_ffi/example.py.j2", package),
    }
    return made | launcher_files(package)
