"""Times what people would call instead of a kernel: PyTorch as it is, and by torch.compile, at given sizes.

    python -m benchmarks.gpu.libraries < TASKS

in a process of its own, for it makes a CUDA context and needs PyTorch. Standard input is a JSON list of
`{"task": NAME, "dims": {...}, "arguments": [[name, dtype, shape], ...]}`; each answer is a line of JSON. Behind
PyTorch's functions are cuBLAS (products), cuDNN (pooling, convolution) and CUB (sums, scans, sorts); products are in
float32, not TF32. No GPU has run this module yet.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from typing import Any

WARM_UPS = 3
TRIALS = 30
_FLUSH_BYTES = 128 << 20
"""More than any L2 holds; written before each timed call, so that all of them are cold."""

Tensor = Any
Inputs = Mapping[str, Tensor]
Formula = Callable[[Any, Inputs, Mapping[str, int]], Tensor]


def _attention(torch: Any, x: Inputs, dims: Mapping[str, int]) -> Tensor:
    shape = dims["length"], dims["heads"], dims["width"]
    q, k, v = (x[name].view(shape).transpose(0, 1) for name in ("q", "k", "v"))
    return (
        torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(dims["length"], -1)
    )


def _layer_norm(torch: Any, x: Inputs, dims: Mapping[str, int]) -> Tensor:
    last = x["x"].movedim(1, -1)
    return torch.nn.functional.layer_norm(last, (dims["features"],)).movedim(-1, 1)


def _convolution(torch: Any, x: Inputs, dims: Mapping[str, int]) -> Tensor:
    return torch.nn.functional.conv2d(x["image"][None, None], x["weights"][None, None])[0, 0]


def _solved(torch: Any, x: Inputs, dims: Mapping[str, int]) -> Tensor:
    rows = x["x"].t()
    return torch.linalg.solve(rows @ x["x"], rows @ x["y"])


FORMULAS: Mapping[str, Formula] = {
    "attention": _attention,
    "conv2d": _convolution,
    "cross_entropy": lambda torch, x, dims: torch.nn.functional.cross_entropy(
        x["logits"], x["labels"].long()
    ),
    "dot_product": lambda torch, x, dims: torch.dot(x["x"], x["y"]),
    "histogram": lambda torch, x, dims: torch.bincount(x["x"], minlength=256),
    "layer_norm": _layer_norm,
    "least_squares": _solved,
    "linear_gelu": lambda torch, x, dims: torch.nn.functional.gelu(
        torch.nn.functional.linear(x["x"], x["w"].t(), x["bias"])
    ),
    "matmul": lambda torch, x, dims: x["a"] @ x["b"],
    "matrix_copy": lambda torch, x, dims: x["x"].clone(),
    "max_pool3d": lambda torch, x, dims: torch.nn.functional.max_pool3d(
        x["x"], 3, stride=2, padding=1, dilation=3
    ),
    "monte_carlo": lambda torch, x, dims: 0.5 * torch.sin(2 * torch.pi * x["x"]).mean(),
    "mse": lambda torch, x, dims: torch.nn.functional.mse_loss(x["predicted"], x["target"]),
    "prefix_sum": lambda torch, x, dims: torch.cumsum(x["x"], 0),
    "reduction": lambda torch, x, dims: x["x"].sum(),
    "relu": lambda torch, x, dims: torch.relu(x["x"]),
    "reverse": lambda torch, x, dims: x["x"].flip(0),
    "sigmoid": lambda torch, x, dims: torch.sigmoid(x["x"]),
    "softmax": lambda torch, x, dims: torch.softmax(x["x"], -1),
    "sort": lambda torch, x, dims: torch.sort(x["x"]).values,
    "top_k": lambda torch, x, dims: torch.topk(x["x"], dims["k"]).values,
    "transpose": lambda torch, x, dims: x["x"].t().contiguous(),
    "vector_add": lambda torch, x, dims: x["x"] + x["y"],
}
"""By task: the call that computes it, given torch, the inputs by name and the sizes."""


def inputs_of(torch: Any, arguments: list[tuple[str, str, list[int]]]) -> dict[str, Tensor]:
    """Make inputs on the GPU: floats from a normal distribution, whole numbers from 0 to 9."""
    made: dict[str, Tensor] = {}
    for name, dtype, shape in arguments:
        if "float" in dtype:
            made[name] = torch.randn(shape, device="cuda", dtype=getattr(torch, dtype))
        else:
            made[name] = torch.randint(0, 10, shape, device="cuda", dtype=getattr(torch, dtype))
    return made


def median_us(torch: Any, call: Callable[[], Tensor]) -> float:
    """Return the median time of a call in microseconds, its data cold, by events on the stream."""
    flush = torch.empty(_FLUSH_BYTES, dtype=torch.int8, device="cuda")
    for _ in range(WARM_UPS):
        call()
    times: list[float] = []
    for _ in range(TRIALS):
        flush.zero_()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(1e3 * start.elapsed_time(end))
    return statistics.median(times)


def timed(torch: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the times of one task at one size; in `problem` why there are none."""
    told = {"task": asked["task"], "dims": asked["dims"]}
    try:
        formula, dims = FORMULAS[asked["task"]], asked["dims"]
        inputs = inputs_of(torch, asked["arguments"])

        def call(given: Inputs) -> Tensor:
            return formula(torch, given, dims)

        compiled = torch.compile(call)
        eager = median_us(torch, lambda: call(inputs))
        return told | {"eager_us": eager, "compile_us": median_us(torch, lambda: compiled(inputs))}
    except (RuntimeError, ValueError, TypeError) as error:  # what torch raises where it cannot
        return told | {"problem": f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"}


def main() -> int:
    """Answer standard input; 2 where there is no PyTorch with a GPU."""
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        sys.stderr.write("torch is not installed\n")
        return 2
    given: Any = torch
    if not given.cuda.is_available():
        sys.stderr.write("torch finds no GPU\n")
        return 2
    given.backends.cuda.matmul.allow_tf32 = False
    given.backends.cudnn.allow_tf32 = False
    for asked in json.load(sys.stdin):
        sys.stdout.write(json.dumps(timed(given, asked)) + "\n")
        sys.stdout.flush()
        given.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
