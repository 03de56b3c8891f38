"""What is run: a kernel, its shapes, its inputs and its right answer; needs NumPy alone: both sides share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Workload:
    """One kernel, launched as `name(inputs..., output, size)`.

    Attributes:
        size: The one scalar argument: n, or columns.
        grid, block: Of the launch, two axes.
        inputs: Input name to float32 values, flat.
        outputs: Elements of the float32 output.
        expected: The right answer, flat.
    """

    name: str
    size: int
    grid: tuple[int, int]
    block: tuple[int, int]
    inputs: dict[str, Array]
    outputs: int
    expected: Array

    @property
    def source(self) -> str:
        """CUDA C++ of the kernel."""
        return (HERE / f"{self.name}.cu").read_text()

    def holds(self, output: Array) -> bool:
        """Whether an output is right."""
        return bool(np.allclose(output, self.expected, rtol=1e-4, atol=1e-4))


def matmul(n: int) -> Workload:
    """A tiled product of two n x n matrices, n a multiple of 16."""
    a, b = (_values(seed, n * n).reshape(n, n) for seed in (0, 1))
    inputs = {"a": a.reshape(-1), "b": b.reshape(-1)}
    product = (a.astype(np.float64) @ b).reshape(-1)
    return Workload("matmul", n, (n // 16, n // 16), (16, 16), inputs, n * n, product)


def softmax(rows: int, columns: int = 1024) -> Workload:
    """Softmax of every row."""
    x = _values(0, rows * columns).reshape(rows, columns)
    powers = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    expected = (powers / powers.sum(axis=1, keepdims=True)).reshape(-1)
    return Workload("softmax", columns, (rows, 1), (256, 1), {"x": x.reshape(-1)}, x.size, expected)


def reduction(n: int) -> Workload:
    """The sums of n / 256 groups of 256 elements."""
    x = _values(0, n)
    sums = x.astype(np.float64).reshape(-1, 256).sum(axis=1)
    return Workload("reduction", n, (n // 256, 1), (256, 1), {"x": x}, n // 256, sums)


def elementwise(n: int) -> Workload:
    """A leaky rectifier plus a square, n a multiple of 256."""
    x, y = _values(0, n), _values(1, n)
    expected = np.where(x > 0, x, 0.01 * x) + y * y
    return Workload("elementwise", n, (n // 256, 1), (256, 1), {"x": x, "y": y}, n, expected)


def divergent(n: int) -> Workload:
    """Loops of as many turns as each element says, n a multiple of 256."""
    x = _values(0, n)
    turns = 1 + (np.abs(x) * np.float32(32)).astype(np.int64)
    left = np.arange(n) % 3
    hits = np.maximum(0, (turns - left + 2) // 3)
    expected = x.astype(np.float64) * (hits - 0.5 * (turns - hits))
    return Workload("divergent", n, (n // 256, 1), (256, 1), {"x": x}, n, expected)


def atomics(n: int) -> Workload:
    """A histogram of 64 bins for each 4096 elements."""
    x = _values(0, n)
    bins = np.minimum(np.abs(x) * np.float32(16), 63).astype(np.int64).reshape(-1, 4096)
    expected = np.stack([np.bincount(one, minlength=64) for one in bins]).reshape(-1)
    return Workload("atomics", n, (n // 4096, 1), (256, 1), {"x": x}, n // 64, expected)


def serial(rows: int, columns: int) -> Workload:
    """The sum of each row less its largest element, a thread a row."""
    x = _values(0, rows * columns).reshape(rows, columns)
    expected = (x - x.max(axis=1, keepdims=True)).sum(axis=1, dtype=np.float64)
    return Workload("serial", columns, (rows // 256, 1), (256, 1), {"x": x.reshape(-1)}, rows, expected)


def tensor(warps: int, times: int = 64) -> Workload:
    """The square of each warp's half precision matrix, so many times over; warps a multiple of 8."""
    x = _values(0, warps * 256) / 16
    tiles = x.reshape(warps, 16, 16).astype(np.float16).astype(np.float64)
    expected = (times * (tiles @ tiles)).reshape(-1)
    return Workload("tensor", times, (warps // 8, 1), (256, 1), {"x": x}, x.size, expected)


def _values(seed: int, count: int) -> Array:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


SMALL: dict[str, Callable[[], Workload]] = {
    "matmul": lambda: matmul(96),
    "softmax": lambda: softmax(24),
    "reduction": lambda: reduction(1 << 13),
}
"""Shapes that Numba's simulator finishes in tens of seconds."""

LARGE: dict[str, Callable[[], Workload]] = {
    "matmul": lambda: matmul(512),
    "softmax": lambda: softmax(4096),
    "reduction": lambda: reduction(1 << 23),
}
"""Shapes that keep the simulator busy for about a second."""

KINDS: dict[str, Callable[[], Workload]] = {
    "elementwise": lambda: elementwise(1 << 22),
    "tiled": lambda: matmul(512),
    "divergent": lambda: divergent(1 << 18),
    "atomics": lambda: atomics(1 << 20),
    "serial": lambda: serial(1024, 2048),
    "tensor core": lambda: tensor(1024),
}
"""One kernel of each kind, for `benchmarks.turnaround`."""
