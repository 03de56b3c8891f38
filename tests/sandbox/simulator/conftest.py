"""Compile CUDA with the real compiler and run it on the simulator, in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from sandbox.budget import Budget
from sandbox.device import ProfileResult, RunResult
from sandbox.plan import BufferArgument, BufferSpec, Launch, LaunchMode, Plan, Role, ScalarArgument
from sandbox.program import Program
from sandbox.simulator import profiling
from sandbox.simulator.execute import running
from tests import compiling

Grid = int | tuple[int, int, int]


def _triple(size: Grid) -> tuple[int, int, int]:
    return (size, 1, 1) if isinstance(size, int) else size


@dataclass(frozen=True)
class Repeated:
    """An input of `size` elements for a profile, filled with the sample again and again."""

    sample: np.ndarray[Any, Any]
    size: int


@dataclass(frozen=True)
class Cuda:
    """One translation unit and how to launch it.

    Arguments: arrays and `Repeated` (in), (dtype, size) of an output, or scalars. Where `kernels` names all that the
    source defines, it is compiled once for all of them.
    """

    source: str
    architecture: str = "sm_90"
    kernels: tuple[str, ...] = ()

    def program(self, kernel: str, *, assembled: bool = True) -> Program:
        kernels = self.kernels or (kernel,)
        return compiling.program(self.source, kernels, self.architecture, assembled=assembled)

    def plan(
        self, kernel: str, grid: Grid, block: Grid, arguments: Mapping[str, Any], **options: Any
    ) -> Plan:
        buffers: list[BufferSpec] = []
        given: list[BufferArgument | ScalarArgument] = []
        for name, value in arguments.items():
            if isinstance(value, Repeated):
                buffers.append(BufferSpec(name, Role.IN, str(value.sample.dtype), value.size))
                given.append(BufferArgument(name))
            elif isinstance(value, np.ndarray):
                role = Role.INOUT if name.startswith("io") else Role.IN
                buffers.append(BufferSpec(name, role, str(value.dtype), value.size))
                given.append(BufferArgument(name))
            elif isinstance(value, tuple):
                role = Role.SCRATCH if name.startswith("scratch") else Role.OUT
                buffers.append(BufferSpec(name, role, value[0], value[1]))
                given.append(BufferArgument(name))
            else:
                kind = "int32" if isinstance(value, int) else "float32"
                kind = str(value.dtype) if isinstance(value, np.generic) else kind
                given.append(ScalarArgument(kind, value))
        mode = LaunchMode(options.get("mode", "normal"))
        cluster = options.get("cluster", (1, 1, 1))
        launch = Launch(
            kernel, _triple(grid), _triple(block), options.get("shared", 0), tuple(given), 1, mode, cluster
        )
        return Plan(tuple(buffers), (launch,) * options.get("launches", 1))

    def run(self, grid: Grid, block: Grid, arguments: Mapping[str, Any], **options: Any) -> RunResult:
        kernel = options.pop("kernel", "k")
        # Whether all blocks of a cooperative launch fit a device depends on their registers.
        registers = options.get("mode") == LaunchMode.COOPERATIVE
        program = self.program(kernel, assembled=registers)
        inputs = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
        poison = options.pop("poison", 1)
        plan = self.plan(kernel, grid, block, arguments, **options)
        return running.run(program, plan, inputs, poison, budget=options.get("budget", Budget(60.0)))

    def profile(self, grid: Grid, block: Grid, arguments: Mapping[str, Any], **options: Any) -> ProfileResult:
        kernel, device = options.pop("kernel", "k"), options.pop("device", "h200")
        program = self.program(kernel)
        samples = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
        samples |= {name: value.sample for name, value in arguments.items() if isinstance(value, Repeated)}
        plan = self.plan(kernel, grid, block, arguments, **options)
        return profiling.profile(program, plan, samples, device, budget=Budget(60.0))


@pytest.fixture(scope="session")
def cuda() -> Callable[..., Cuda]:
    """Source to something that runs: `cuda("extern ...").run(grid, block, {...})`."""
    return Cuda


@pytest.fixture(scope="session")
def repeated() -> Callable[..., Repeated]:
    """A large input of a profile: `repeated(sample, size)`."""
    return Repeated


@pytest.fixture(scope="session")
def expression() -> Callable[..., np.ndarray[Any, Any]]:
    """Evaluate a C++ expression of x, y, z for every element; the parameters have the arrays' types."""
    c_types = {
        "float32": "float",
        "float64": "double",
        "int32": "int",
        "uint32": "unsigned",
        "int64": "long long",
    }
    c_types |= {
        "uint64": "unsigned long long",
        "int16": "short",
        "uint16": "unsigned short",
        "int8": "signed char",
    }
    c_types |= {"uint8": "unsigned char", "float16": "__half"}

    def evaluate(
        text: str, result: str, operands: Sequence[np.ndarray[Any, Any]], architecture: str = "sm_90"
    ) -> np.ndarray[Any, Any]:
        names = "xyz"[: len(operands)]
        parameters = [f"const {c_types[str(a.dtype)]}* p{n}" for n, a in zip(names, operands, strict=True)]
        reads = " ".join(f"auto {n} = p{n}[i];" for n in names)
        headers = "#include <cuda_fp16.h>\n" if "half" in text or result == "float16" else ""
        source = (
            f"{headers}__global__ void k({', '.join(parameters)}, {c_types[result]}* out, int n)"
            f" {{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) {{ {reads} out[i] = {text}; }} }}"
        )
        count = operands[0].size
        arguments: dict[str, Any] = {f"p{n}": a for n, a in zip(names, operands, strict=True)}
        arguments |= {"out": (result, count), "n": count}
        outcome = Cuda(source, architecture).run(-(-count // 128), 128, arguments)
        assert outcome.fault is None, outcome.fault
        return np.asarray(outcome.outputs["out"])

    return evaluate


STORAGE = {
    "int": "int32", "unsigned": "uint32", "long long": "int64", "unsigned long long": "uint64",
    "short": "int16", "unsigned short": "uint16", "signed char": "int8", "unsigned char": "uint8", "bool": "uint8",
    "float": "float32", "double": "float64", "__half": "float16", "__half2": "uint32",
    "__nv_bfloat16": "uint16", "__nv_bfloat162": "uint32",
}  # fmt: skip
"""What holds the elements of a C++ type; NumPy has no packed halves and no bfloat16."""


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., dict[str, np.ndarray[Any, Any]]]:
    """Evaluate many C++ expressions in one kernel: {expression: type of its result}, {name: (type, array)}."""

    def run(
        cases: Mapping[str, str],
        operands: Mapping[str, tuple[str, np.ndarray[Any, Any]]],
        architecture: str = "sm_90",
        prelude: str = "",
    ) -> dict[str, np.ndarray[Any, Any]]:
        parameters = [f"const {kind}* p_{name}" for name, (kind, _) in operands.items()]
        parameters += [f"{kind}* out{n}" for n, kind in enumerate(cases.values())]
        reads = "".join(f"{kind} {name} = p_{name}[i]; " for name, (kind, _) in operands.items())
        writes = "".join(f"\n out{n}[i] = {text};" for n, text in enumerate(cases))
        body = f"int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) {{ {reads} {writes} }}"
        source = f'{prelude}\nextern "C" __global__ void k(int n, {", ".join(parameters)}) {{ {body} }}'
        count = next(iter(operands.values()))[1].size
        arguments: dict[str, Any] = {"n": count}
        arguments |= {f"p_{name}": array.view(STORAGE[kind]) for name, (kind, array) in operands.items()}
        arguments |= {f"out{n}": (STORAGE[kind], count) for n, kind in enumerate(cases.values())}
        outcome = Cuda(source, architecture).run(-(-count // 128), 128, arguments)
        assert outcome.fault is None, outcome.fault
        return {text: np.asarray(outcome.outputs[f"out{n}"]) for n, text in enumerate(cases)}

    return run


FORMATS = {"f16": (11, -14, 15), "bf16": (8, -126, 127), "f32": (24, -126, 127), "f64": (53, -1022, 1023)}
"""Bits of the significand, least and greatest exponent (IEEE 754-2019, table 3.5; bfloat16 likewise)."""


def _rounded(exact: Fraction, form: str, mode: str) -> float:
    """The value of a format that a rounding mode picks: rn, rz, ru or rd."""
    digits, least, greatest = FORMATS[form]
    size, up = abs(exact), {"rz": False, "ru": exact > 0, "rd": exact < 0}.get(mode)
    exponent = max(size.numerator.bit_length() - size.denominator.bit_length(), least)
    exponent -= exponent > least and size < Fraction(2) ** exponent
    quantum = Fraction(2) ** (exponent - digits + 1)
    steps, rest = divmod(size, quantum)
    nearest = 2 * rest > quantum or (2 * rest == quantum and steps % 2 == 1)
    value = (steps + (nearest if up is None else up and rest > 0)) * quantum
    largest = (2 - Fraction(2) ** (1 - digits)) * Fraction(2) ** greatest
    if value > largest:
        value = largest if up is False else math.inf
    return float(value) if exact > 0 else -float(value)


@pytest.fixture(scope="session")
def ieee() -> Callable[..., np.ndarray[Any, Any]]:
    """Apply exact arithmetic and round once: `ieee(lambda x, y: x + y, [a, b], "f32", "rn")`, float64 values.

    Operands are arrays of float64 values. Where an operand is not finite, or the exact result is zero or a
    division by zero, the same function of NumPy's float64 scalars decides.
    """

    def one(function: Callable[..., Any], values: Sequence[float], form: str, mode: str) -> float:
        plain = float(function(*(np.float64(value) for value in values)))
        if not all(map(math.isfinite, values)):
            return plain
        try:
            exact = function(*(Fraction(value) for value in values))
        except ZeroDivisionError:
            return plain
        return _rounded(exact, form, mode) if exact else plain

    def run(
        function: Callable[..., Any], operands: Sequence[np.ndarray[Any, Any]], form: str, mode: str = "rn"
    ) -> np.ndarray[Any, Any]:
        with np.errstate(all="ignore"):
            rows = zip(*(operand.astype(np.float64).tolist() for operand in operands), strict=True)
            return np.array([one(function, row, form, mode) for row in rows])

    return run
