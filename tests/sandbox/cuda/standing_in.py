"""A GPU whose driver is the library under fake_driver: where it can be used, and kernels for it to run."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sandbox.compiler.toolkit import find_toolkit
from sandbox.isolation.gpu import GpuNode
from sandbox.plan import BufferArgument, BufferSpec, Launch, Plan, Role, ScalarArgument
from sandbox.program import Program
from tests import compiling
from tests.sandbox.cuda.fake_driver import build

NODES = ("/dev/null", "/dev/zero")
"""Device nodes that every machine has; the library finds a GPU only where both may be opened and asked."""

GPU = GpuNode(build.BUS_ID, Path(NODES[0]))

KERNELS = ("vector_add", "add_wrong", "add_past_the_end", "add_beyond_memory", "add_without_end")
_SIGNATURE = "(const float* x, const float* y, float* out, int n)"
_ADDING = "{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) out[i] = x[i] + y[i]; }"

SIZE = 1000
X, Y = np.random.default_rng(5).random((2, SIZE), np.float32)
INPUTS = {"x": X, "y": Y}


def program() -> Program:
    """All candidates; what the library runs is told by their names, mangled as the compiler does."""
    source = "\n".join(f"__global__ void {name}{_SIGNATURE} {_ADDING}" for name in KERNELS)
    return compiling.program(source, KERNELS)


def plan(kernel: str = "vector_add", **changes: object) -> Plan:
    """One launch of a candidate, line 7."""
    arguments = (*map(BufferArgument, ("x", "y", "out")), ScalarArgument("int32", SIZE))
    launch = Launch(kernel, (4, 1, 1), (256, 1, 1), 0, arguments, 7)
    roles = {"x": Role.IN, "y": Role.IN, "out": Role.OUT}
    buffers = tuple(BufferSpec(name, role, "float32", SIZE) for name, role in roles.items())
    return Plan(buffers, (replace(launch, **changes),))  # type: ignore[arg-type]


def built(folder: Path, nodes: Sequence[str] = NODES) -> Path:
    """Build the library; its folder."""
    build.build(folder, include(), nodes=nodes)
    return folder


def python(folder: Path, code: str, *, variables: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Run a program with the library in that folder for a driver."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), **variables}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, timeout=60,
        check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip


def keep_rates(folder: Path) -> None:
    """Write what is kept of the rates that the GPU reached, so that nobody measures them."""
    folder.mkdir()
    identity = f"{build.NAME}-{build.BUS_ID}".replace(" ", "_").replace(":", "_")
    (folder / f"{identity}.json").write_text(json.dumps({"copy_gbps": 4000.0, "fma_gflops": 60_000.0}))


def missing() -> str | None:
    """Why none of this can be done here."""
    if build.compiler() is None:
        return "needs a C compiler"
    if importlib.util.find_spec("pycuda") is None:
        return "needs PyCUDA, which .ci/pycuda builds where there is the CUDA toolkit"
    return None


def unusable(folder: Path) -> str | None:
    """Why PyCUDA as installed cannot be used with the library."""
    asked = python(folder, "import pycuda.driver; print(pycuda.driver.get_version()[0])")
    if asked.stdout.strip() == "13":
        return None
    return f"needs PyCUDA for CUDA 13: {(asked.stdout or asked.stderr).strip()[-200:]}"


def include() -> Path:
    """The folder of cuda.h."""
    return next(folder for folder in find_toolkit().include if (folder / "cuda.h").exists())
