"""The operator over PyTorch's stable ABI: built and loaded where PyTorch has no CUDA; all but the launch."""

from __future__ import annotations

import ctypes
import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.export.torch_stable_form import torch_stable_files
from tests.agent.export.exporting import package
from tests.agent.export.test_cuda_form import build, needs_compiler, write
from tests.agent.export.test_torch_form import MIXED, mixed, needs_torch


@needs_torch
@needs_compiler
def test_the_library_is_built_and_its_operator_has_schema_shapes_and_a_message(
    tmp_path: Path, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import torch.utils.cpp_extension as torch_extension
    from torch._subclasses.fake_tensor import FakeTensorMode

    folder = write(torch_stable_files(package(replace(mixed(), name="stable"), MIXED)), tmp_path)
    compile((folder / "setup.py").read_text(), "setup.py", "exec")
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(ImportError, match="is not built yet"):
        importlib.import_module("stable_kernel")
    include = [part for path in torch_extension.include_paths() for part in ("-isystem", path)]
    stub = folder / "stream.cpp"  # what PyTorch for CUDA has
    stub.write_text(
        'extern "C" int aoti_torch_get_current_cuda_stream(int, void** s) { *s = nullptr; return 0; }\n'
    )
    options = (
        *include, "-shared", "-fPIC", "-DTORCH_TARGET_VERSION=0x020a000000000000", str(driver / "libcuda.so.1"),
        *(f"-L{path}" for path in torch_extension.library_paths()), "-ltorch_cpu", "-ltorch",
    )  # fmt: skip
    sources = ("src/plan.cpp", "src/images.cpp", "src/torch_stable.cpp", "stream.cpp")
    build(folder, *sources, libraries=options).rename(folder / "stable_kernel/_C.so")
    ctypes.CDLL(str(driver / "libcuda.so.1"))
    module = importlib.import_module("stable_kernel")
    schema = str(torch.ops.stable_kernel.stable.default._schema)
    assert (
        "Tensor x, Tensor(a2!) state, SymInt wide, int shift, float alpha=0.5) -> (Tensor, Tensor)" in schema
    )
    with FakeTensorMode():
        out, other = module.stable(torch.ones(8), torch.zeros(8, dtype=torch.int32), 3, 2)
        assert (tuple(out.shape), tuple(other.shape), other.dtype) == ((8, 3), (9,), torch.float64)
    with pytest.raises(NotImplementedError, match="Could not run 'stable_kernel::stable'"):
        module.stable(torch.ones(8), torch.zeros(8, dtype=torch.int32), 3, 2)
    del sys.modules["stable_kernel"]
