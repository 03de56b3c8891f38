"""The same kernels on Numba's CUDA simulator: `NUMBA_ENABLE_CUDASIM=1 python -m ... matmul softmax`.

Prints the seconds of each as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from numba import cuda, float32

from benchmarks.throughput.workloads import SMALL, Workload


@cuda.jit
def matmul(a_matrix, b_matrix, c_matrix, n):  # noqa: D103
    a = cuda.shared.array((16, 16), float32)
    b = cuda.shared.array((16, 16), float32)
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    i, j = cuda.blockIdx.y * 16 + row, cuda.blockIdx.x * 16 + column
    total = float32(0)
    for tile in range(n // 16):
        a[row, column] = a_matrix[i * n + tile * 16 + column]
        b[row, column] = b_matrix[(tile * 16 + row) * n + j]
        cuda.syncthreads()
        for k in range(16):
            total += a[row, k] * b[k, column]
        cuda.syncthreads()
    c_matrix[i * n + j] = total


@cuda.jit
def softmax(x, y, columns):  # noqa: D103
    partial = cuda.shared.array(256, float32)
    base, thread = cuda.blockIdx.x * columns, cuda.threadIdx.x
    largest = x[base]
    for i in range(thread, columns, 256):
        largest = max(largest, x[base + i])
    partial[thread] = largest
    cuda.syncthreads()
    stride = 128
    while stride > 0:
        if thread < stride:
            partial[thread] = max(partial[thread], partial[thread + stride])
        cuda.syncthreads()
        stride //= 2
    largest = partial[0]
    cuda.syncthreads()
    total = float32(0)
    for i in range(thread, columns, 256):
        total += np.exp(x[base + i] - largest)
    partial[thread] = total
    cuda.syncthreads()
    stride = 128
    while stride > 0:
        if thread < stride:
            partial[thread] += partial[thread + stride]
        cuda.syncthreads()
        stride //= 2
    for i in range(thread, columns, 256):
        y[base + i] = np.exp(x[base + i] - largest) / partial[0]


@cuda.jit
def reduction(x, sums, n):  # noqa: D103
    partial = cuda.shared.array(256, float32)
    thread = cuda.threadIdx.x
    i = cuda.blockIdx.x * 256 + thread
    partial[thread] = x[i] if i < n else float32(0)
    cuda.syncthreads()
    stride = 128
    while stride > 0:
        if thread < stride:
            partial[thread] += partial[thread + stride]
        cuda.syncthreads()
        stride //= 2
    if thread == 0:
        sums[cuda.blockIdx.x] = partial[0]


KERNELS: dict[str, Any] = {"matmul": matmul, "softmax": softmax, "reduction": reduction}


def seconds(workload: Workload) -> float:
    """Seconds of one launch, its result checked."""
    output = np.zeros(workload.outputs, np.float32)
    started = time.perf_counter()
    KERNELS[workload.name][workload.grid, workload.block](*workload.inputs.values(), output, workload.size)
    taken = time.perf_counter() - started
    if not workload.holds(output):
        raise SystemExit(f"Numba's simulator gives a wrong {workload.name}")
    return taken


if __name__ == "__main__":
    json.dump({name: seconds(SMALL[name]()) for name in sys.argv[1:]}, sys.stdout)
