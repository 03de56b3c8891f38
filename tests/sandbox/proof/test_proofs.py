"""The static verifier, confined: what it says of launches with and without a race."""

from __future__ import annotations

import importlib.util

import pytest

from sandbox.errors import MissingDependencyError
from sandbox.isolation.choose import choose_isolation
from sandbox.plan import BufferArgument, Launch, ScalarArgument
from sandbox.program import CompileRequest
from sandbox.proof.opinion import LaunchProof, Opinion
from sandbox.proof.service import Prover
from tests import compiling

installed = pytest.mark.skipif(
    importlib.util.find_spec("sentryward") is None, reason="sentryward is not installed (extra: proof)"
)
COPY = "__global__ void k(const float* x, float* y, int n) { int i = blockIdx.x * 64 + threadIdx.x; if (i < n) y[%s] = x[i]; }"


async def opinion_on(place: str, *, seconds: float = 30.0) -> LaunchProof:
    request = CompileRequest(COPY % place, "sm_90", kernels=("k",))
    program = compiling.compiled(request, assembled=False).program
    assert program is not None
    arguments = (BufferArgument("x"), BufferArgument("y"), ScalarArgument("int32", 100))
    launch = Launch("k", (2, 1, 1), (64, 1, 1), 0, arguments, 1)
    async with Prover(choose_isolation()) as prover:
        return await prover.prove(program, launch, seconds=seconds)


@installed
async def test_a_launch_without_a_race_is_proved() -> None:
    assert await opinion_on("i") == LaunchProof("k", 1, Opinion.PROVED, "")


@installed
async def test_a_launch_whose_threads_meet_is_contradicted() -> None:
    found = await opinion_on("i / 2")
    assert found.opinion is Opinion.CONTRADICTED
    assert "potential race" in found.said


def test_who_lacks_the_verifier_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'warpwright\[proof\]'"):
        Prover.check()
