"""Form `torch-stable`: the launcher in C++ as an operator of PyTorch, as source over PyTorch's stable ABI."""

from __future__ import annotations

from agent.export.cuda_form import launcher_files
from agent.export.packages import KernelPackage
from agent.export.rendering import rendered
from sandbox.errors import UsageError


def torch_stable_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of the source package.

    Raises:
        UsageError: The task has no input, and nothing says on which device to compute.
    """
    if not package.given:
        raise UsageError(
            f"{package.task.name} has no input that says which device is meant; export it --to torch"
        )
    made = {
        "src/torch_stable.cpp": rendered("torch_stable/binding.cpp.j2", package),
        "setup.py": rendered("torch_stable/setup.py.j2", package),
        "example.py": rendered("python/torch_example.py.j2", package),
        f"{package.space}/__init__.py": rendered("torch_stable/module.py.j2", package),
        f"{package.space}/plan.py": rendered("plan.py.j2", package),
    }
    return made | launcher_files(package)
