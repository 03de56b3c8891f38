"""Modules for arrays: run on stand-ins of their libraries, and with the real PyCUDA before a driver without a GPU."""

from __future__ import annotations

import importlib
import itertools
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.export.array_forms import CUPY, NUMBA, PYCUDA, ArrayLibrary, array_files
from agent.export.packages import KernelPackage
from sandbox.errors import UsageError
from tests.agent.export.exporting import array, example, package, planned, small_task
from tests.agent.export.test_cuda_form import write
from tests.agent.export.test_plan import HARD, hard
from tests.sandbox.cuda import standing_in

ADDRESSES = itertools.count(0x1000, 0x1000)


@dataclass
class Held:
    """An array of any library: NumPy's, with an address of its own."""

    host: np.ndarray[Any, Any]
    ptr: int = field(default_factory=lambda: next(ADDRESSES))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.host.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.host.dtype

    @property
    def flags(self) -> Any:
        return types.SimpleNamespace(c_contiguous=self.host.flags.c_contiguous)

    @property
    def data(self) -> Held:
        return self

    @property
    def mem(self) -> Any:
        return types.SimpleNamespace(size=20)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"data": (self.ptr, False), "strides": self.host.strides}


class Recorded(list[Any]):
    """Launches, copies into constants, and what was made, in order."""

    made: dict[str, Held]

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Held:
        held = Held(np.zeros(shape, dtype))
        self.append(("empty", held.ptr, held.host.nbytes))
        return held


def cupy_standing_in(recorded: Recorded) -> types.ModuleType:
    class Module:
        def __init__(self, *, path: str, enable_cooperative_groups: bool) -> None:
            assert Path(path).is_file()
            recorded.append(("loaded", Path(path).name, enable_cooperative_groups))

        def get_global(self, symbol: str) -> Any:
            target = Held(np.zeros(5, np.float32))
            target.copy_from_device_async = lambda *what: recorded.append((symbol, what[0].ptr, what[1]))  # type: ignore[attr-defined]
            return target

        def get_function(self, symbol: str) -> Any:
            def launch(grid: Any, block: Any, arguments: Any, *, shared_mem: int) -> None:
                recorded.append((symbol, grid, block, shared_mem, [one.tobytes() for one in arguments]))

            return launch

    made = types.ModuleType("cupy")
    device = types.SimpleNamespace(id=0, compute_capability="90")
    made.__dict__.update(
        empty=recorded.empty, RawModule=Module,
        cuda=types.SimpleNamespace(Device=lambda *_: device, get_current_stream=lambda: None),
    )  # fmt: skip
    return made


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    found = Recorded()
    monkeypatch.setitem(sys.modules, "cupy", cupy_standing_in(found))
    numba = types.ModuleType("numba")
    numba.cuda = types.SimpleNamespace(  # type: ignore[attr-defined]
        device_array=found.empty, get_current_device=lambda: types.SimpleNamespace(id=3)
    )
    monkeypatch.setitem(sys.modules, "numba", numba)
    yield found
    for name in [name for name in sys.modules if name.partition(".")[0].endswith("_kernel")]:
        del sys.modules[name]


def imported(
    made: KernelPackage, library: ArrayLibrary, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    write(array_files(made, library), folder)
    compile((folder / "example.py").read_text(), "example.py", "exec")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return importlib.import_module(made.space)


def launches(recorded: Recorded) -> list[Any]:
    return [one for one in recorded if len(one) == 5]


def test_a_module_for_cupy_launches_what_is_planned(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = hard()
    module = imported(package(task, HARD), CUPY, tmp_path, monkeypatch)
    x, weights = Held(np.ones(100, np.float32)), Held(np.ones(8, np.float32))
    out, total = module.small(x, weights, 0.25)
    assert (out.shape, total.dtype) == ((100,), np.int32)
    assert ("taps", weights.ptr, 20) in recorded
    assert ("loaded", "k0_v0_sm_90.cubin", False) in recorded or (
        "loaded",
        "k0_v1_sm_90.cubin",
        False,
    ) in recorded
    for found, wanted in zip(
        launches(recorded), planned(task, HARD, {"n": 100}, {"alpha": 0.25}), strict=True
    ):
        symbol, grid, block, shared, arguments = wanted  # type: ignore[misc]
        assert found[:4] == (symbol, grid, block, shared)
        assert [len(data) for data in found[4]] == [len(data) for data in arguments]
        assert [data for data in found[4] if len(data) < 8] == [data for data in arguments if len(data) < 8]
    assert launches(recorded)[2][4][0] == x.ptr.to_bytes(8, "little")


class Entered:
    """A stream of CuPy's: a context that says when it is entered and left."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded

    def __enter__(self) -> None:
        self.recorded.append(("entered",))

    def __exit__(self, *_: object) -> None:
        self.recorded.append(("left",))


def test_memory_of_a_call_on_a_stream_belongs_to_that_streams_pool(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = example("vector_add")
    module = imported(package(task, task.baseline), CUPY, tmp_path, monkeypatch)
    x = Held(np.ones(8, np.float32))
    module.vector_add(x, x, stream=Entered(recorded))
    assert [one[0] for one in recorded] == [
        "entered",
        "empty",
        "left",
        "entered",
        "loaded",
        recorded[5][0],
        "left",
    ]


def test_arrays_that_do_not_fit_are_refused(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = example("matmul")
    module = imported(package(task, task.baseline), CUPY, tmp_path, monkeypatch)
    good = Held(np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match="expected b of shape"):
        module.matmul(good, Held(np.ones((5, 4), np.float32)))
    with pytest.raises(ValueError, match="expected b of float32, found float64"):
        module.matmul(good, Held(np.ones((4, 4))))
    with pytest.raises(ValueError, match="expected a to be contiguous"):
        module.matmul(Held(np.ones((4, 8), np.float32)[:, ::2]), good)
    with pytest.raises(ValueError, match="expected a at a multiple of 32 bytes"):
        module.matmul(Held(np.ones((4, 4), np.float32), 0x1004), good)
    assert not launches(recorded)


def test_a_module_for_numba_hands_its_arrays_to_the_launcher(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching = types.ModuleType("vector_add_kernel.launching")
    asked: list[Any] = []
    launching.launch = lambda *given: asked.append(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vector_add_kernel.launching", launching)
    task = example("vector_add")
    module = imported(package(task, task.baseline), NUMBA, tmp_path, monkeypatch)
    x, y = Held(np.ones(100, np.float32)), Held(np.ones(100, np.float32))
    stream = types.SimpleNamespace(handle=types.SimpleNamespace(value=77))
    out = module.vector_add(x, y, stream=stream)
    ((work, addresses, scalars, device, handle),) = asked
    assert (addresses, scalars) == ({"x": x.ptr, "y": y.ptr, "out": out.ptr}, {})
    assert (device, handle, len(work.launches)) == (3, 77, 1)
    with pytest.raises(ValueError, match="expected x to be contiguous"):
        module.vector_add(Held(np.ones(200, np.float32)[::2]), y)


RUN = """
import sys
sys.path.insert(0, {folder!r})
import numpy, pycuda.driver, pycuda.gpuarray
pycuda.driver.init()
context = pycuda.driver.Device(0).make_context()
from vector_add_kernel import vector_add
x = pycuda.gpuarray.GPUArray((1000,), numpy.float32)
y = pycuda.gpuarray.GPUArray((1000,), numpy.float32)
x.set(numpy.full(1000, 1.5, numpy.float32))
y.set(numpy.full(1000, 2.0, numpy.float32))
try:
    print(set(vector_add(x, y).get().tolist()))
finally:
    x, y = None, None
    context.detach()
"""


def test_a_module_for_pycuda_computes_on_a_driver(tmp_path: Path, driver: Path) -> None:
    pytest.importorskip("pytools", reason="PyCUDA's arrays need it")
    if (reason := standing_in.missing() or standing_in.unusable(driver)) is not None:
        pytest.skip(reason)
    task = example("vector_add")
    write(array_files(package(task, task.baseline), PYCUDA), tmp_path)
    ran = standing_in.python(driver, RUN.format(folder=str(tmp_path)))
    assert (ran.returncode, ran.stdout) == (0, "{3.5}\n"), ran.stderr


CLUSTERED = """\
//@ launch cluster(2, 1, 1) copy<<<2 * ceil_div(n, 64), 64>>>(x, out, n)
extern "C" __global__ void copy(const float* x, float* out, int n) {
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i < n) out[i] = x[i];
}
"""


def test_what_a_library_has_no_call_for_is_refused_at_the_export() -> None:
    task = small_task([{"n": 8}], array("x", "in", "n"), array("out", "out", "n"))
    made = package(task, CLUSTERED)
    for library in (CUPY, PYCUDA):
        with pytest.raises(UsageError, match=r"launches clusters of blocks.*--to cuda, torch or numba"):
            array_files(made, library)
    assert array_files(made, NUMBA)
