"""Forms `cupy`, `pycuda` and `numba`: a function over the arrays of each, with the compiled code beside it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.export.packages import KernelPackage
from agent.export.plans import LaunchStep
from agent.export.python_parts import python_files
from agent.export.rendering import rendered
from sandbox.errors import UsageError


@dataclass(frozen=True)
class ArrayLibrary:
    """A library of arrays on devices.

    Attributes:
        imports: What its example imports.
        made: The function that copies an array of NumPy to the device.
        back: An expression that copies `one` back.
        requirements: What `pip install` takes.
        cooperative, clusters: Whether it launches such grids.
        by_cuda_core: Whether it launches by cuda.core.
    """

    name: str
    imports: str
    made: str
    back: str
    requirements: tuple[str, ...]
    cooperative: bool = True
    clusters: bool = False
    by_cuda_core: bool = False


CUPY = ArrayLibrary("cupy", "import cupy", "cupy.asarray", "cupy.asnumpy(one)", ("cupy-cuda13x>=13",))
PYCUDA = ArrayLibrary(
    "pycuda",
    "import pycuda.autoinit\nimport pycuda.gpuarray",
    "pycuda.gpuarray.to_gpu",
    "one.get()",
    ("pycuda>=2025.1",),
    cooperative=False,
)
NUMBA = ArrayLibrary(
    "numba",
    "from numba import cuda",
    "cuda.to_device",
    "one.copy_to_host()",
    ("numba-cuda>=0.20", "cuda-core>=1,<2", "cuda-bindings>=13,<14"),
    clusters=True,
    by_cuda_core=True,
)


def array_files(package: KernelPackage, library: ArrayLibrary) -> dict[str, bytes]:
    """Return the files for one library.

    Raises:
        UsageError: It cannot launch what a kernel asks for.
    """
    _check(package, library)
    made = {
        f"{package.space}/__init__.py": rendered(f"python/{library.name}.py.j2", package),
        "example.py": rendered("python/arrays_example.py.j2", package, library=library),
        "requirements.txt": "".join(f"{one}\n" for one in ("numpy", *library.requirements)).encode(),
    }
    return made | python_files(package, launching=library.by_cuda_core)


def _check(package: KernelPackage, library: ArrayLibrary) -> None:
    for kernel in package.kernels:
        steps = [step for step in kernel.compiled.plan.launches if isinstance(step, LaunchStep)]
        for asked, able, what in (
            (any(step.cooperative for step in steps), library.cooperative, "cooperative grids"),
            (any(step.clustered for step in steps), library.clusters, "clusters of blocks"),
        ):
            if asked and not able:
                raise UsageError(
                    f"{kernel.file} launches {what}, and {library.name} has no call for them; export it --to cuda, "
                    "torch or numba"
                )
