"""The library and the module for JAX: built, loaded, and lowered for CUDA on a machine without it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.export.jax_form import jax_files
from tests.agent.export.exporting import package
from tests.agent.export.test_cuda_form import build, needs_compiler, write
from tests.agent.export.test_torch_form import MIXED, mixed

needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX: pip install jax")


@needs_jax
@needs_compiler
def test_the_library_is_built_loaded_and_called_in_what_jax_lowers_for_cuda(
    tmp_path: Path, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctypes

    import jax
    import jax.numpy as jnp

    folder = write(jax_files(package(replace(mixed(), name="traced"), MIXED)), tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("traced_kernel")
    x, state = jnp.ones(8), jnp.zeros(8, "int32")
    with jax.enable_x64(True):
        with pytest.raises(RuntimeError, match="is not built yet: cmake -B build"):
            module.traced(x, state, 3, shift=2)
        options = ("-isystem", jax.ffi.include_dir(), "-shared", "-fPIC", "-O0")
        library = str(driver / "libcuda.so.1")
        sources = ("src/plan.cpp", "src/images.cpp", "src/ffi.cpp")
        built = build(folder, *sources, libraries=(*options, library))
        ctypes.CDLL(library)  # what the program that runs it has loaded on a GPU's machine
        built.rename(folder / "traced_kernel/libtraced_kernel_ffi.so")
        lowered = jax.jit(lambda x, state: module.traced(x, state, 3, shift=2)).trace(x, state)
        text = lowered.lower(lowering_platforms=("cuda",)).as_text()
        assert "@traced_kernel(" in text
        assert "alpha = 5.000000e-01 : f32" in text
        assert "wide = 3 : i64" in text
        assert "operand_index = 1" in text
        with pytest.raises(ValueError, match="expected state of shape"):
            module.traced(x, jnp.zeros(9, "int32"), 3, shift=2)
    del sys.modules["traced_kernel"]
