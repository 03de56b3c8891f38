"""What every form is written from: judged kernels of one task, their code, and where each of them came from."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from agent.export.variants import CompiledKernel, Image
from sandbox.dtypes import DTYPE_BYTES
from tools.expressions import Expression, parse
from tools.reports import CheckReport
from tools.tasks.generators import constant_scalar
from tools.tasks.task import Task, TaskArgument, argument_size


@dataclass(frozen=True)
class Origin:
    """Where a kernel came from.

    Attributes:
        source: The run, or the file's name.
        writer: The model that wrote it, `composer`, or empty where nobody knows.
        place: `ROUND/CANDIDATE` of a run; empty for a file.
        features: What it was to try.
    """

    source: str
    writer: str = ""
    place: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedKernel:
    """A kernel that passed, with its code.

    Attributes:
        file: What it is called in the package.
        text: The kernel file; its tunables' defaults are the values judged.
        judgements: One a device.
    """

    file: str
    text: str
    compiled: CompiledKernel
    origin: Origin
    judgements: tuple[CheckReport, ...]


@dataclass(frozen=True)
class ChosenKernel:
    """The kernel that was best at a benchmark shape, by its position in the package."""

    dims: Mapping[str, int]
    kernel: int


@dataclass(frozen=True)
class InferredDim:
    """A dim that is a side of an argument as it stands."""

    dim: str
    argument: str
    axis: int


@dataclass(frozen=True)
class KernelPackage:
    """Kernels of one task, ready to be written in any form.

    Attributes:
        choices: Which kernel serves sizes near which; of one kernel there is nothing to choose.
        warpwright: Its version.
        task_files: What the task's folder holds, by name.
    """

    task: Task
    kernels: tuple[ExportedKernel, ...]
    choices: tuple[ChosenKernel, ...]
    architectures: tuple[str, ...]
    warpwright: str
    task_files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """The task's name as an identifier of C++ and Python: what its function is called."""
        plain = re.sub(r"\W", "_", self.task.name, flags=re.ASCII)
        return f"task_{plain}" if plain[0].isdigit() or plain in _TAKEN or keyword.iskeyword(plain) else plain

    @property
    def space(self) -> str:
        """What its namespace, library or Python package is called: no function of C's and no module of Python's."""
        return f"{self.name}_kernel"

    @property
    def buffers(self) -> tuple[TaskArgument, ...]:
        """The task's arguments that are arrays."""
        return tuple(one for one in self.task.arguments if not one.is_scalar)

    @property
    def given(self) -> tuple[TaskArgument, ...]:
        """The arrays that hold data before a call."""
        return tuple(one for one in self.task.arguments if one.is_input)

    @property
    def scalars(self) -> tuple[TaskArgument, ...]:
        """The task's arguments that are numbers."""
        return tuple(one for one in self.task.arguments if one.is_scalar)

    @property
    def idle(self) -> tuple[ExportedKernel, ...]:
        """The kernels that would never be launched: chosen nowhere, where those that are have code for all sizes."""
        if any(self.kernels[one.kernel].compiled.keys for one in self.choices):
            return ()
        return tuple(one for place, one in enumerate(self.kernels) if not self.served(place))

    @property
    def needed(self) -> KernelPackage:
        """This package without idle kernels."""
        idle = self.idle
        places = [place for place, one in enumerate(self.kernels) if one not in idle]
        choices = tuple(ChosenKernel(one.dims, places.index(one.kernel)) for one in self.choices)
        return replace(self, kernels=tuple(self.kernels[place] for place in places), choices=choices)

    def served(self, kernel: int) -> list[Mapping[str, int]]:
        """Return the benchmark shapes that a kernel was chosen at."""
        return [one.dims for one in self.choices if one.kernel == kernel]

    @property
    def ordered_scalars(self) -> tuple[TaskArgument, ...]:
        """The scalars, those without a default first."""
        return tuple(sorted(self.scalars, key=lambda one: self.default(one) is not None))

    @property
    def stream(self) -> str:
        """What the parameter for a stream is called in Python: no argument of the task."""
        names = {one.name for one in self.task.arguments} | set(self.task.dims)
        return "stream" if "stream" not in names else "cuda_stream"

    @property
    def outputs(self) -> tuple[TaskArgument, ...]:
        """The arrays that a call makes."""
        return tuple(one for one in self.task.arguments if one.role == "out")

    @property
    def mutated(self) -> tuple[TaskArgument, ...]:
        """The arrays that a call changes in place."""
        return tuple(one for one in self.task.arguments if one.role == "inout")

    @property
    def returned(self) -> tuple[TaskArgument, ...]:
        """What a call returns where arrays cannot be changed in place."""
        return tuple(one for one in self.task.arguments if one.is_output)

    @property
    def inferred(self) -> tuple[InferredDim, ...]:
        """The dims that shapes of inputs say, in the task's order."""
        return tuple(found for dim in self.task.dims if (found := self._inferred(dim)) is not None)

    @property
    def asked(self) -> tuple[str, ...]:
        """The dims that no shape of an input says by itself: callers give them."""
        known = {one.dim for one in self.inferred}
        return tuple(dim for dim in self.task.dims if dim not in known)

    def _inferred(self, dim: str) -> InferredDim | None:
        for argument in self.given:
            for axis, side in enumerate(argument.shape):
                if side.strip() == dim:
                    return InferredDim(dim, argument.name, axis)
        return None

    def shape(self, argument: TaskArgument) -> tuple[Expression, ...]:
        """Return the sides of an array, in the dims."""
        return tuple(parse(side) for side in argument.shape)

    def default(self, scalar: TaskArgument) -> int | float | None:
        """Return the value of a scalar that the task holds constant; None where it does not."""
        return constant_scalar(scalar)

    def argument(self, name: str) -> TaskArgument:
        """Return the task's argument of that name."""
        return next(one for one in self.task.arguments if one.name == name)

    def elements(self, argument: TaskArgument, dims: Mapping[str, int]) -> int:
        """Return how many elements an array has at these sizes."""
        return math.prod(argument_size(argument, dims))

    def sides(self, argument: TaskArgument, dims: Mapping[str, int]) -> tuple[int, ...]:
        """Return the shape of an array at these sizes."""
        return argument_size(argument, dims)

    @property
    def constants(self) -> bool:
        """Whether a kernel fills constant memory, which all streams share."""
        return any(one.compiled.plan.constants for one in self.kernels)

    @property
    def item_bytes(self) -> Mapping[str, int]:
        """Bytes of an element, by dtype."""
        return DTYPE_BYTES

    @property
    def ptx_capability(self) -> tuple[int, int]:
        """The least compute capability that the PTX runs on."""
        first = self.kernels[0].compiled.variants[0].images[0]
        return first.capability if first.portable else (_NEVER, 0)

    def images(self) -> list[tuple[str, Image]]:
        """Return all code by the name of its file without the ending, as `k0_v0_sm_90`."""
        return [
            (f"k{kernel}_v{variant}_{image.architecture}", image)
            for kernel, one in enumerate(self.kernels)
            for variant, compiled in enumerate(one.compiled.variants)
            for image in compiled.images
        ]

    def image_files(self) -> dict[str, bytes]:
        """Return the code as files, by the names that the plan in Python has for them."""
        cubins = {f"{name}.cubin": image.cubin for name, image in self.images()}
        return cubins | {f"{name}.ptx": text for name, text in self.ptx()}

    def ptx(self) -> list[tuple[str, bytes]]:
        """Return the PTX of every variant by name, as `k0_v0`: of the first architecture, where others run it."""
        return [
            (f"k{kernel}_v{variant}", compiled.images[0].ptx.encode())
            for kernel, one in enumerate(self.kernels)
            for variant, compiled in enumerate(one.compiled.variants)
            if compiled.images[0].portable
        ]


_NEVER = 1000
"""A major compute capability that no GPU has: PTX of sm_90a and the like runs nowhere else."""
_TAKEN = frozenset(
    [
        "plan",
        "launching",
        "images",
        "torch",
        "cupy",
        "pycuda",
        "numba",
        "jax",
        "cuda",
        "numpy",
        "ctypes",
        "os",
    ]
)
"""What a function cannot be called beside what its module imports or holds."""
