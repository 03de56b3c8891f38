"""The package for PyTorch, as far as a machine without a GPU can run it: all but the launch on a device."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
import sys
sys.path.insert(0, {folder!r})
sys.modules['torch'] = None
import importlib.util, types, ctypes
package = types.ModuleType('vector_add_kernel')
package.__path__ = [{folder!r} + '/vector_add_kernel']
sys.modules['vector_add_kernel'] = package
from vector_add_kernel import launching, plan
from cuda.bindings import driver
from cuda.core import Device
Device(0).set_current()
count = 1000
hosts = {{name: (ctypes.c_float * count)(*[value] * count) for name, value in (('x', 1.5), ('y', 2.0), ('out', 0.0))}}
addresses = {{}}
for name, host in hosts.items():
    _, addresses[name] = driver.cuMemAlloc(4 * count)
    driver.cuMemcpyHtoD(addresses[name], ctypes.addressof(host), 4 * count)
addresses = {{name: int(address) for name, address in addresses.items()}}
work = plan.work(plan.Sizes(count))
plain, = work.launches
for one in (plain, plain._replace(cooperative=True, cluster=(2, 1, 1), shared_bytes=65536)):
    driver.cuMemcpyHtoD(addresses['out'], ctypes.addressof(hosts['out']), 4 * count)
    launching.launch(work._replace(launches=(one,)), addresses, {{}}, 0, 0)
    host = (ctypes.c_float * count)()
    driver.cuMemcpyDtoH(ctypes.addressof(host), addresses['out'], 4 * count)
    print(set(host))
"""


@needs_cuda_core
def test_launches_run_on_a_driver_through_cuda_core(tmp_path: Path, driver: Path) -> None:
    task = example("vector_add")
    write(torch_files(package(task, task.baseline)), tmp_path)
    ran = standing_in.python(driver, RUN.format(folder=str(tmp_path)))
    assert (ran.returncode, ran.stdout) == (0, "{3.5}\n{3.5}\n"), ran.stderr
