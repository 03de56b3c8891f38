"""The library of TVM-FFI: built, loaded, and run on tensors of a driver without a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from agent.export.tvm_ffi_form import tvm_ffi_files
from tests.agent.export.exporting import example, package
from tests.agent.export.test_cuda_form import build, needs_compiler, write
from tests.sandbox.cuda import standing_in

needs_tvm_ffi = pytest.mark.skipif(
    importlib.util.find_spec("tvm_ffi") is None, reason="needs TVM-FFI: pip install apache-tvm-ffi"
)

RUN = """
import ctypes, numpy, tvm_ffi
from cuda.bindings import driver
driver.cuInit(0)
driver.cuCtxSetCurrent(driver.cuDevicePrimaryCtxRetain(0)[1])

class Device(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("number", ctypes.c_int32)]
class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", Device), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("offset", ctypes.c_uint64)]
class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]
capsule = ctypes.pythonapi.PyCapsule_New
capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
kept = []

class OnDevice:
    def __init__(self, host):
        self.address = int(driver.cuMemAlloc(max(host.nbytes, 1))[1])
        driver.cuMemcpyHtoD(self.address, host.ctypes.data, host.nbytes)
        sides, steps = (ctypes.c_int64 * 1)(host.size), (ctypes.c_int64 * 1)(1)
        code = 2 if host.dtype.kind == "f" else 1
        tensor = Tensor(self.address, Device(2, 0), 1, code, 8 * host.itemsize, 1, sides, steps, 0)
        self.managed = Managed(tensor, None, None)
        kept.append((self, sides, steps))
    def __dlpack__(self, **_):
        return capsule(ctypes.addressof(self.managed), b"dltensor", None)
    def __dlpack_device__(self):
        return 2, 0

library = tvm_ffi.load_module({library!r})
x, y, out = (numpy.full(1000, value, numpy.float32) for value in (1.5, 2.0, 0.0))
on = [tvm_ffi.from_dlpack(OnDevice(one)) for one in (x, y, out)]
workspace = tvm_ffi.from_dlpack(OnDevice(numpy.zeros(library.workspace_bytes(1000), numpy.uint8)))
library.vector_add(*on, workspace)
driver.cuMemcpyDtoH(out.ctypes.data, kept[2][0].address, out.nbytes)
print(set(out.tolist()))
for wrong in ([x, y, out], [on[0], on[1], tvm_ffi.from_dlpack(OnDevice(out[:999]))]):
    try:
        library.vector_add(*wrong, workspace)
    except ValueError as error:
        print(str(error).splitlines()[0])
"""


@needs_tvm_ffi
@needs_compiler
def test_the_library_computes_on_tensors_of_a_device_and_refuses_others(tmp_path: Path, driver: Path) -> None:
    from tvm_ffi import libinfo

    task = example("vector_add")
    folder = write(tvm_ffi_files(package(task, task.baseline)), tmp_path)
    include = [part for path in libinfo.include_paths() for part in ("-isystem", path)]
    options = (*include, "-shared", "-fPIC", str(driver / "libcuda.so.1"), libinfo.find_libtvm_ffi())
    library = build(folder, "src/plan.cpp", "src/images.cpp", "src/tvm_ffi.cpp", libraries=options)
    ran = standing_in.python(driver, RUN.replace("{library!r}", repr(str(library.rename(folder / "lib.so")))))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "{3.5}",
        "vector_add: expected x on the CUDA device of the others",
        "vector_add: the shape of out does not fit the others, see vector_add_kernel.h",
    ]
