"""The forms that kernels are exported in, and the files of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.export.packages import KernelPackage


class Form(StrEnum):
    """What a package is for."""

    CUDA = "cuda"
    TORCH = "torch"
    CUPY = "cupy"
    PYCUDA = "pycuda"
    NUMBA = "numba"


def package_files(package: KernelPackage, form: Form) -> dict[str, bytes]:
    """Return every file of a package by its path: the form's own, the kernels, their task and what was verified.

    Raises:
        UsageError: The form cannot launch what the kernels ask for.
    """
    from agent.export.verification import common_files

    return _writers()[form](package) | common_files(package, form)


def _writers() -> Mapping[Form, Callable[[KernelPackage], dict[str, bytes]]]:
    from agent.export.array_forms import CUPY, NUMBA, PYCUDA, array_files
    from agent.export.cuda_form import cuda_files
    from agent.export.torch_form import torch_files

    return {
        Form.CUDA: cuda_files,
        Form.TORCH: torch_files,
        Form.CUPY: partial(array_files, library=CUPY),
        Form.PYCUDA: partial(array_files, library=PYCUDA),
        Form.NUMBA: partial(array_files, library=NUMBA),
    }
