"""Form `torch`: a Python package with an operator of PyTorch that loads the compiled code through cuda.core."""

from __future__ import annotations

from agent.export.packages import KernelPackage
from agent.export.python_parts import python_files
from agent.export.rendering import rendered


def torch_files(package: KernelPackage) -> dict[str, bytes]:
    """Return the files of the package."""
    folder = package.space
    made = {
        f"{folder}/__init__.py": rendered("python/torch_op.py.j2", package, space=folder),
        "pyproject.toml": rendered("python/pyproject.toml.j2", package),
        "example.py": rendered("python/torch_example.py.j2", package),
    }
    return made | python_files(package, launching=True)
