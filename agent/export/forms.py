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
    TORCH_STABLE = "torch-stable"
    CUPY = "cupy"
    PYCUDA = "pycuda"
    NUMBA = "numba"
    JAX = "jax"
    TVM_FFI = "tvm-ffi"
    HF_KERNELS = "hf-kernels"
    FLASHINFER_BENCH = "flashinfer-bench"
    SOL_EXECBENCH = "sol-execbench"


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
    from agent.export.jax_form import jax_files
    from agent.export.kernels_form import kernels_files
    from agent.export.published_form import published_files
    from agent.export.torch_form import torch_files
    from agent.export.torch_stable_form import torch_stable_files
    from agent.export.tvm_ffi_form import tvm_ffi_files

    return {
        Form.CUDA: cuda_files,
        Form.TORCH: torch_files,
        Form.TORCH_STABLE: torch_stable_files,
        Form.CUPY: partial(array_files, library=CUPY),
        Form.PYCUDA: partial(array_files, library=PYCUDA),
        Form.NUMBA: partial(array_files, library=NUMBA),
        Form.JAX: jax_files,
        Form.TVM_FFI: tvm_ffi_files,
        Form.HF_KERNELS: kernels_files,
        Form.FLASHINFER_BENCH: partial(published_files, bench="flashinfer-bench"),
        Form.SOL_EXECBENCH: partial(published_files, bench="sol-execbench"),
    }
