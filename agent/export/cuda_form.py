"""Form `cuda`: a header and a launcher in plain C++ over the CUDA driver, with the compiled code inside."""

from __future__ import annotations

from importlib.resources import files

from agent.export.packages import KernelPackage
from agent.export.rendering import rendered

_AS_THEY_ARE = ("integer.h", "launching.h")


def cuda_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of the launcher, its CMake example among them."""
    made = {
        "CMakeLists.txt": rendered("cuda/CMakeLists.txt.j2", package),
        "example.cpp": rendered("cuda/example.cpp.j2", package),
    }
    return made | launcher_files(package)


def launcher_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the header and the sources of the launcher; other forms in C++ build on them."""
    folder = files("agent.export") / "templates" / "cuda"
    names = {argument.name for argument in package.task.arguments}
    made = {
        f"include/{package.space}.h": rendered("cuda/header.h.j2", package),
        "src/plan.cpp": rendered("cuda/plan.cpp.j2", package, names=names),
        "src/images.h": rendered("cuda/images.h.j2", package),
        "src/images.cpp": rendered("cuda/images.cpp.j2", package),
    }
    return made | {f"src/{name}": (folder / name).read_bytes() for name in _AS_THEY_ARE}
