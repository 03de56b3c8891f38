"""PyTorch's own operators in references: arrays in and out, functions only, and in a worker that alone sees PyTorch."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from sandbox.errors import MissingDependencyError, WorkerError
from sandbox.isolation.base import Command, Isolation, WorkerSpec
from sandbox.isolation.process import ProcessIsolation
from sandbox.reference import torch_operators
from sandbox.reference.running_error.trace import load
from sandbox.reference.service import ReferenceFailedError, References
from sandbox.reference.torch_operators import (
    OperatorError,
    asks_for_torch,
    aten,
    in_single,
    operators_of,
    said_of,
)

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
with_torch = pytest.mark.parametrize("isolation", ["bubblewrap", "process"], indirect=True)
"""The isolations that have PyTorch; a container has none."""

SAMPLED = """\
import numpy as np
from torch_operators import aten


def reference(x, grid, n):
    return {"y": aten("grid_sampler_2d.default", x, grid, 0, 0, False) * n}
"""
GIVEN = {
    "x": np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4),
    "grid": np.linspace(-1, 1, 8, dtype=np.float32).reshape(1, 2, 2, 2),
}


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_results_are_as_wide_as_the_widest_array_that_was_given(dtype: str) -> None:
    x = np.ones((2, 3), dtype)
    assert aten("logaddexp.default", x, np.float32(1.0)).dtype == dtype
    assert aten("cumsum.default", x, 0, dtype="float16").dtype == dtype
    assert aten("logaddexp.default", x, np.ones(3)).dtype == "float64"
    assert aten("sinc.default", np.arange(3)).dtype == "float64"


@needs_torch
def test_numbers_stand_for_tensors_without_axes_and_lists_and_none_are_passed_on() -> None:
    x = np.array([[3.0, -4.0], [1.0, 2.0]])
    np.testing.assert_allclose(aten("hypot.default", x, 4.0), np.hypot(x, 4.0))
    put = aten("index_put.default", x, [None, np.array([1])], 9.0)
    np.testing.assert_array_equal(put, [[3, 9], [1, 9]])
    np.testing.assert_array_equal(aten("nansum.default", x, [np.int64(1)], False), [-1, 3])
    assert aten("isin.Tensor_Tensor", np.arange(3), np.array([1]), invert=True).tolist() == [
        True,
        False,
        True,
    ]


@needs_torch
def test_in_single_precision_everything_that_is_given_is_rounded() -> None:
    third = np.ones(1) / 3
    with in_single():
        assert aten("sinc.default", np.arange(3)).dtype == "float32"
        assert aten("add.Tensor", third, 0.0) == np.float32(third)
    assert aten("sinc.default", np.arange(3)).dtype == "float64"


@needs_torch
@with_torch
@pytest.mark.asyncio
async def test_what_is_computed_of_whole_numbers_has_the_scale_of_a_kernels_rounding(
    isolation: Isolation,
) -> None:
    text = (
        "from torch_operators import aten\n"
        "def reference(k): return {'y': aten('special_bessel_j0', k / 7.0) - aten('special_bessel_j0', k / 7.1)}"
    )
    k = np.arange(40, dtype=np.int32)
    async with References(isolation) as references:
        answer = await references.expected(text, {"k": k}, {}, {"y": "float32"})
    near = [aten("special_bessel_j0", k.astype(np.float32) / np.float32(part)) for part in (7.0, 7.1)]
    bound = 8 * np.finfo(np.float32).eps * answer.magnitude["y"]
    assert (np.abs(near[0] - near[1] - answer.outputs["y"]) <= bound).all()
    assert np.count_nonzero(np.abs(1e-3 * answer.outputs["y"]) > bound) > 20


def bicubic(x: Any, sides: int, ratio_first: bool) -> Any:
    """Rows of `x` at `sides` places, as a plain float32 kernel finds them."""
    single, old = np.float32, x.shape[1]
    number = np.arange(sides).astype(single) + single(0.5)
    place = number * single(old / sides) if ratio_first else number * single(old) / single(sides)
    place = place - single(0.5)
    first = np.floor(place)
    part = place - first

    def near(t: Any) -> Any:
        return ((single(1.25) * t - single(2.25)) * t) * t + single(1)

    def far(t: Any) -> Any:
        return ((single(-0.75) * t + single(3.75)) * t - single(6)) * t + single(3)

    weights = (far(part + 1), near(part), near(1 - part), far(2 - part))
    taken = (x[:, np.clip(first.astype(int) - 1 + k, 0, old - 1)] for k in range(4))
    return sum(weight * one for weight, one in zip(weights, taken, strict=True))


@needs_torch
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(3))
async def test_a_place_that_an_operator_rounds_inside_itself_has_its_part_in_the_scale(seed: int) -> None:
    text = (
        "from torch_operators import aten\n"
        "def reference(x):\n"
        "    return {'y': aten('upsample_bicubic2d', x[None, :, None], [1, 31], False, None, None)[0, :, 0]}"
    )
    x = np.random.default_rng(seed).standard_normal((12, 9)).astype(np.float32)
    x[3:6, seed::5] *= 1e4  # a place that is exactly old in float64 has neighbours that count nothing
    async with References(ProcessIsolation()) as references:
        answer = await references.expected(text, {"x": x}, {}, {"y": "float32"}, seed=seed)
    bound = 8 * np.finfo(np.float32).eps * answer.magnitude["y"]
    for ratio_first in (False, True):
        found = bicubic(x, 31, ratio_first)
        assert (np.abs(found - answer.outputs["y"]) <= bound).all()
        assert (np.abs(found * 1.0001 - answer.outputs["y"]) > bound).any()


@needs_torch
@pytest.mark.asyncio
async def test_no_setting_of_pytorch_outlives_a_reference(bubblewrapped: Isolation) -> None:
    text = "from torch_operators import aten\ndef reference(x): return {'y': aten('sinc', x) * 1e30}"
    changes = (
        "import sys, torch\n"
        "torch.set_flush_denormal(True)\n"
        "torch.use_deterministic_algorithms(True)\n"
        "sys.modules['sandbox.reference.torch_operators'].aten = lambda name, x: 7 * x\n"
    )
    x = {"x": np.array([0.5, 1e-40], np.float32)}
    async with References(bubblewrapped) as references:
        before = await references.expected(text, x, {}, {"y": "float32"})
        await references.expected(changes + text, x, {}, {"y": "float32"})
        after = await references.expected(text, x, {}, {"y": "float32"}, seed=1)
    np.testing.assert_array_equal(before.outputs["y"], after.outputs["y"])


@needs_torch
def test_several_results_come_as_a_list_of_arrays() -> None:
    values, places = aten("median.dim", np.array([[3.0, 1.0, 2.0]]), -1)
    assert (values.tolist(), places.tolist(), places.dtype) == ([2.0], [2], np.int64)
    assert aten("median.default", np.array([3.0, 1.0, 2.0])) == 2.0


@needs_torch
@pytest.mark.parametrize("operator", ["view_as_real.default", "conj.default", "adjoint.default"])
def test_a_result_is_never_the_argument_itself(operator: str) -> None:
    x = np.ones((2, 2), np.complex128)
    found = aten(operator, x)
    found[...] = 7
    assert (x == 1).all()


@needs_torch
@pytest.mark.parametrize(
    ("operator", "why"),
    [
        ("rand_like.default", "it draws at random"),
        ("bernoulli.default", "it draws at random"),
        ("native_dropout.default", "it draws at random"),
        ("add_.Tensor", "it changes its arguments"),
        ("add.out", "it changes its arguments"),
        ("empty_like.default", "its results do not follow from its arguments"),
        ("nonzero.default", "the shape of its results depends on values"),
        ("item.default", "its results are no tensors"),
        ("nothing.default", "it is none of ATen's operators"),
    ],
)
def test_what_is_no_function_of_its_arguments_is_refused(operator: str, why: str) -> None:
    with pytest.raises(OperatorError, match=f"{operator} cannot be part of a reference: {why}"):
        aten(operator, np.ones(3))


@needs_torch
def test_what_pytorch_has_against_arguments_is_one_line() -> None:
    with pytest.raises(OperatorError, match=r"^PyTorch's operator addmm.default: .*\S$") as raised:
        aten("addmm.default", np.ones((3, 2)), np.ones((4, 2)), np.ones((2, 2)))
    assert "\n" not in str(raised.value)
    with pytest.raises(OperatorError, match="expected at most 1 arguments, found 2"):
        aten("sinc.default", np.ones(3), 1)


def test_what_a_reference_asks_for_is_read_and_not_run() -> None:
    twice = (
        SAMPLED + '\n\ndef magnitude(x):\n    return aten("cdist", x, aten("grid_sampler_2d.default", x))\n'
    )
    assert asks_for_torch(twice)
    assert operators_of(twice) == ("grid_sampler_2d", "cdist")
    assert "in float64, for grid_sampler_2d, cdist: wherever it is judged" in said_of(operators_of(twice))
    assert asks_for_torch("import torch_operators")
    for other in ("def reference(x): return {'y': x}", "# torch_operators", "from torch_operators import ("):
        assert not asks_for_torch(other)
        assert said_of(operators_of(other)) == ""


def test_where_pytorch_is_missing_one_sentence_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    torch_operators._torch.cache_clear()
    function: Any = load(SAMPLED).__dict__["reference"]
    with pytest.raises(
        MissingDependencyError, match=r"^this task's reference .*pip install 'warpwright\[torch\]'"
    ):
        function(**GIVEN, n=2)


@pytest.mark.asyncio
async def test_a_judge_without_pytorch_says_so_before_it_starts_a_worker(
    bubblewrapped: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    async with References(bubblewrapped) as references:
        with pytest.raises(MissingDependencyError, match="the package torch is not installed"):
            await references.expected(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})


class Closed(ProcessIsolation):
    """Has no PyTorch for its workers, whatever is installed."""

    def command(self, spec: WorkerSpec, fd: int) -> Command:
        if "torch" in spec.packages:
            raise MissingDependencyError("the image lacks torch")
        return super().command(spec, fd)


@needs_torch
@pytest.mark.docker
@pytest.mark.asyncio
async def test_a_container_which_has_no_pytorch_is_named(docked: Isolation) -> None:
    async with References(docked) as references:
        with pytest.raises(MissingDependencyError, match="isolation docker cannot give it"):
            await references.expected(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})


@needs_torch
@pytest.mark.asyncio
async def test_an_isolation_that_has_no_pytorch_is_named() -> None:
    async with References(Closed()) as references:
        with pytest.raises(
            MissingDependencyError, match=r"isolation process cannot give it; .*the image lacks torch"
        ):
            await references.expected(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})


@needs_torch
@with_torch
@pytest.mark.asyncio
async def test_a_reference_is_answered_in_float64_and_in_float32_with_a_scale_by_perturbation(
    isolation: Isolation,
) -> None:
    async with References(isolation) as references:
        answer = await references.expected(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})
        single = await references.in_float32(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})
    wide = {name: array.astype(np.float64) for name, array in GIVEN.items()}
    np.testing.assert_array_equal(
        answer.outputs["y"], 2 * aten("grid_sampler_2d.default", *wide.values(), 0, 0, False)
    )
    assert answer.scales == {"y": "perturbed"}
    assert answer.untraced == "Untraceable: PyTorch's own operator grid_sampler_2d.default"
    assert (answer.magnitude["y"] >= np.abs(answer.outputs["y"])).all()
    assert 0 < np.abs(single.outputs["y"] - answer.outputs["y"]).max() < 1e-5


@needs_torch
@pytest.mark.asyncio
async def test_a_reference_that_does_not_ask_for_it_sees_no_pytorch(bubblewrapped: Isolation) -> None:
    async with References(bubblewrapped) as references:
        with pytest.raises(ReferenceFailedError, match="No module named 'torch'"):
            await references.expected("import torch", {}, {}, {"y": "float32"})


ATTEMPTS = {
    "a socket": "import socket; socket.socket()",
    "a process": "import os; os.fork()",
    "a program": "import os; os.execv('/bin/true', ['true'])",
    "a file to write": "open('/tmp/mine', 'w')",
    "the person's files": "open('/etc/passwd')",
    "a thread": "import threading; threading.Thread(target=print).start()",
    "PyTorch's threads": "import torch; torch.set_num_threads(4); torch.ones(4_000_000).exp()",
    "a compiler": "import torch; torch.compile(lambda x: x + 1)(torch.ones(3))",
    "a library": "import torch; torch.ops.load_library('/tmp/mine.so')",
}


@needs_torch
@pytest.mark.asyncio
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_a_worker_with_pytorch_has_the_walls_of_every_other(
    bubblewrapped: Isolation, attempt: str
) -> None:
    async with References(bubblewrapped) as references:
        with pytest.raises((ReferenceFailedError, WorkerError)):
            await references.expected(f"{attempt}\n{SAMPLED}", GIVEN, {"n": 2}, {"y": "float32"})
        answer = await references.expected(SAMPLED, GIVEN, {"n": 2}, {"y": "float32"})
    assert answer.outputs["y"].shape == (1, 1, 2, 2)
