"""Form `jax`: the launcher in C++ as a call of XLA's foreign function interface, and a module for JAX."""

from __future__ import annotations

from agent.export.cuda_form import launcher_files
from agent.export.packages import KernelPackage
from agent.export.rendering import rendered


def jax_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of the library and of the module."""
    made = {
        "src/ffi.cpp": rendered("jax/ffi.cpp.j2", package),
        "CMakeLists.txt": rendered("jax/CMakeLists.txt.j2", package),
        "example.py": rendered("jax/example.py.j2", package),
        f"{package.space}/__init__.py": rendered("jax/module.py.j2", package),
        f"{package.space}/plan.py": rendered("plan.py.j2", package),
    }
    return made | launcher_files(package)
