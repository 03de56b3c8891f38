"""The package for PyTorch, as far as a machine without a GPU can run it: all but the launch on a device."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.export.kernels_form import kernels_files
from agent.export.torch_form import torch_files
from tests.agent.export.exporting import array, example, package, small_task
from tests.agent.export.test_cuda_form import write
from tests.sandbox.cuda import standing_in
from tools.tasks.task import Task, TaskArgument

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install 'warpwright[torch]'"
)
needs_cuda_core = pytest.mark.skipif(
    importlib.util.find_spec("cuda.core") is None, reason="needs cuda-core, of the extra dev"
)

MIXED = """\
//@ launch mix<<<ceil_div(n, 64), 64>>>(x, state, out, other, alpha, shift, n)
extern "C" __global__ void mix(const float* x, int* state, float* out, double* other, float alpha, int shift, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) { out[i] = alpha * x[i]; state[i] += shift; other[i] = out[i]; }
}
"""


def mixed() -> Task:
    return small_task(
        [{"n": 8, "wide": 3}],
        array("x", "in", "n"),
        array("state", "inout", "n", dtype="int32"),
        array("out", "out", "n", "wide"),
        array("other", "out", "n + 1", dtype="float64"),
        TaskArgument("alpha", "scalar", "float32", (), "constant(0.5)"),
        TaskArgument("shift", "scalar", "int32", (), "integers(1, 9)"),
    )


@pytest.fixture(scope="module")
def modules(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[types.ModuleType, types.ModuleType, Any]]:
    """The operators of a matrix product and of a task with everything, and PyTorch."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("packages")
    product = example("matmul")
    write(torch_files(package(product, product.baseline)), folder)
    write(torch_files(package(mixed(), MIXED)), folder)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("matmul_kernel"), importlib.import_module("small_kernel"), torch
    sys.path.remove(str(folder))


@needs_torch
def test_the_operator_says_what_shapes_dtypes_and_devices_it_expects(modules: Any) -> None:
    product, _, torch = modules
    with pytest.raises(ValueError, match="expected b of shape"):
        product.matmul(torch.ones(2, 3), torch.ones(4, 5))
    with pytest.raises(ValueError, match=r"expected a of torch.float32, found torch.float64"):
        product.matmul(torch.ones(2, 3, dtype=torch.float64), torch.ones(3, 5))
    with pytest.raises(ValueError, match="expected tensors on one CUDA device, found cpu"):
        product.matmul(torch.ones(2, 3), torch.ones(3, 5))


@needs_torch
def test_the_fake_kernel_knows_the_shapes_that_come_out(modules: Any) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    product, small, torch = modules
    with FakeTensorMode():
        found = product.matmul(torch.ones(2, 3), torch.ones(3, 5))
        assert (tuple(found.shape), found.dtype) == ((2, 5), torch.float32)
        state = torch.zeros(8, dtype=torch.int32)
        out, other = small.small(torch.ones(8), state, wide=3, shift=2)
        assert (tuple(out.shape), tuple(other.shape), other.dtype) == ((8, 3), (9,), torch.float64)
        with pytest.raises(RuntimeError, match="expected b of shape"):
            product.matmul(torch.ones(2, 3), torch.ones(4, 5))


@needs_torch
def test_a_graph_of_it_is_traced_with_shapes_that_vary(modules: Any) -> None:
    product, _, torch = modules

    class Model(torch.nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return product.matmul(a, b) * 2

    sizes = {"a": {0: torch.export.Dim("m")}, "b": None}
    graph = torch.export.export(Model(), (torch.ones(2, 3), torch.ones(3, 5)), dynamic_shapes=sizes)
    assert "matmul_kernel.matmul" in str(graph.graph)
    seen: list[Any] = []

    def backend(module: Any, _: Any) -> Any:
        seen.append(module)
        return module.forward

    with pytest.raises(Exception, match="expected tensors on one CUDA device"):
        torch.compile(Model(), backend=backend, fullgraph=True)(torch.ones(2, 3), torch.ones(3, 5))
    assert len(seen) == 1


@needs_torch
def test_a_gradient_that_is_missing_says_where_to_register_one(modules: Any) -> None:
    product, _, torch = modules
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        found = product.matmul(torch.ones(2, 3, requires_grad=True), torch.ones(3, 5))
        assert found.requires_grad
        with pytest.raises(NotImplementedError, match=r"matmul_kernel.matmul.register_autograd\(backward"):
            found.sum().backward()


@needs_torch
def test_the_operator_is_registered_as_pytorch_wants_it(modules: Any) -> None:
    torch = modules[2]
    schema = str(torch.ops.small_kernel.small.default._schema)
    assert "Tensor(a1!) state" in schema
    assert "float alpha=0.5" in schema
    assert "SymInt wide" in schema
    assert str(torch.ops.matmul_kernel.matmul.default._schema).endswith("(Tensor a, Tensor b) -> Tensor")


RUN = """
import sys, types, ctypes
sys.modules['torch'] = None
package = types.ModuleType('exported')
package.__path__ = [{folder!r}]
sys.modules['exported'] = package
from exported import launching, plan
library = ctypes.CDLL('libcuda.so.1')
device, context = ctypes.c_int(), ctypes.c_void_p()
library.cuInit(0)
library.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
library.cuCtxSetCurrent(context)
count = 1000
addresses = {{}}
for name, value in (('x', 1.5), ('y', 2.0), ('out', 0.0)):
    address = ctypes.c_uint64()
    library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(4 * count))
    library.cuMemcpyHtoD_v2(address, (ctypes.c_float * count)(*[value] * count), ctypes.c_size_t(4 * count))
    addresses[name] = address.value
work = plan.work(plan.Sizes(count))
plain, = work.launches
for one in (plain, plain._replace(cooperative=True, cluster=(2, 1, 1), shared_bytes=65536)):
    host = (ctypes.c_float * count)()
    library.cuMemcpyHtoD_v2(ctypes.c_uint64(addresses['out']), host, ctypes.c_size_t(4 * count))
    launching.launch(work._replace(launches=(one,)), addresses, {{}}, 0, 0)
    library.cuMemcpyDtoH_v2(host, ctypes.c_uint64(addresses['out']), ctypes.c_size_t(4 * count))
    print(set(host))
"""


@needs_cuda_core
def test_launches_run_on_a_driver_through_cuda_core(tmp_path: Path, driver: Path) -> None:
    task = example("vector_add")
    write(torch_files(package(task, task.baseline)), tmp_path)
    ran = standing_in.python(driver, RUN.format(folder=str(tmp_path / "vector_add_kernel")))
    assert (ran.returncode, ran.stdout) == (0, "{3.5}\n{3.5}\n"), ran.stderr


def test_a_kernel_for_the_hub_launches_by_the_driver_alone(tmp_path: Path, driver: Path) -> None:
    task = example("vector_add")
    write(kernels_files(package(task, task.baseline)), tmp_path)
    ran = standing_in.python(driver, RUN.format(folder=str(tmp_path / "build/torch-cuda")))
    assert (ran.returncode, ran.stdout) == (0, "{3.5}\n{3.5}\n"), ran.stderr


@needs_torch
def test_a_kernel_for_the_hub_has_an_operator_of_its_own_version(tmp_path: Path) -> None:
    import torch

    task = example("vector_add")
    folder = write(kernels_files(package(task, task.baseline)), tmp_path) / "build/torch-cuda"
    told = json.loads((folder / "metadata.json").read_text())
    spec = importlib.util.spec_from_file_location(told["id"], folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[told["id"]] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.raises(ValueError, match="expected tensors on one CUDA device, found cpu"):
        module.vector_add(torch.ones(8), torch.ones(8))
    assert f"{told['id']}::vector_add" in str(module.vector_add._opoverload._schema)
    assert told["id"].startswith("_vector_add_kernel_cuda_")


def test_the_numbers_of_the_drivers_attributes_are_those_of_cuda_h(tmp_path: Path) -> None:
    from cuda.bindings import driver

    task = example("vector_add")
    text = kernels_files(package(task, task.baseline))["build/torch-cuda/launching.py"].decode()
    names: dict[str, Any] = {}
    exec("\n".join(line for line in text.splitlines() if line.startswith("_")), {}, names)
    function, launch = driver.CUfunction_attribute, driver.CUlaunchAttributeID
    device = driver.CUdevice_attribute
    assert (names["_MAJOR"], names["_MINOR"]) == (
        device.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        device.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    )
    assert names["_MAX_DYNAMIC_SHARED"] == function.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    assert names["_NON_PORTABLE_CLUSTER"] == function.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
    assert names["_CLUSTER"] == launch.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
    assert names["_COOPERATIVE"] == launch.CU_LAUNCH_ATTRIBUTE_COOPERATIVE
