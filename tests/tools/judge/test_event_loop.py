"""Judging large arrays never makes others wait who are served by the same process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import numpy as np

from sandbox.budget import Budget
from sandbox.device import Array, Fault, RunResult
from sandbox.plan import BufferSpec, Plan, Role
from sandbox.program import Program
from sandbox.verdict import Verdict
from sandbox.worker.messages import Expected
from tests.tools.function_device import FunctionDevice
from tools.judge.oracle import TaskOracle, remembered
from tools.judge.testing import Rules, Subject, judge_results
from tools.tasks.folder import find
from tools.tasks.task import Case

ELEMENTS = 1 << 23
LONGEST_WAIT_S = 0.1


class _Sum:
    """Answers for vector_add, as a worker would: not on the loop of whoever asks."""

    async def expected(self, text: str, inputs: Mapping[str, Array], *_: object, **__: object) -> Expected:
        return await asyncio.to_thread(self._sum, inputs)

    async def compare(self, *_: object) -> str | None:
        raise AssertionError("vector_add has no `compare`")

    def _sum(self, inputs: Mapping[str, Array]) -> Expected:
        x, y = inputs["x"].astype(np.float64), inputs["y"].astype(np.float64)
        return Expected({"out": x + y}, {"out": np.abs(x) + np.abs(y)}, False, {})


class _ElsewhereDevice(FunctionDevice):
    """Runs its function as a worker would."""

    async def run(
        self, program: Program, plan: Plan, inputs: Mapping[str, Array], *, poison: int, budget: Budget
    ) -> RunResult:
        run = super().run

        def elsewhere() -> RunResult:
            return asyncio.run(run(program, plan, inputs, poison=poison, budget=budget))

        return await asyncio.to_thread(elsewhere)


def _add(program: Program, plan: Plan, buffers: dict[str, Array]) -> Fault | None:
    np.add(buffers["x"], buffers["y"], out=buffers["out"])
    return None


def _plan(_: Mapping[str, int | float]) -> Plan:
    buffers = [BufferSpec(name, role, "float32", ELEMENTS) for name, role in _ROLES.items()]
    return Plan(tuple(buffers), ())


_ROLES = {"x": Role.IN, "y": Role.IN, "out": Role.OUT}


async def test_pings_are_answered_while_a_large_shape_is_judged() -> None:
    """A wait counts as far as this process was busy in it: on a crowded machine it waits for others too.

    What the judge does on the loop it does every time; a wait that comes only now and then is the machine's.
    """
    longest: list[float] = []
    while not longest or (longest[-1] >= LONGEST_WAIT_S and len(longest) < 3):
        longest.append(await _longest_wait(len(longest) + 1))
    assert longest[-1] < LONGEST_WAIT_S, longest


async def _longest_wait(seed: int) -> float:
    task = find("vector_add", None)
    oracle = TaskOracle(task, _Sum())
    subject = Subject(Case({"n": ELEMENTS}), Program("", "sm_90", "", b"", {}, ()), _plan)
    waits: list[float] = []

    async def ping() -> None:
        while True:
            wall, busy = time.monotonic(), time.process_time()
            await asyncio.sleep(0.002)
            waits.append(min(time.monotonic() - wall, time.process_time() - busy))

    pinging = asyncio.create_task(ping())
    found = await judge_results(
        task, _ElsewhereDevice(_add), oracle, [subject], Rules({"out": 8.0}, seeds=1), seed=seed
    )
    pinging.cancel()
    assert found.report.verdict is Verdict.PASS
    assert len(waits) > 10
    return max(waits)


async def test_answers_are_remembered_by_their_bytes_and_not_by_their_number() -> None:
    task, memory = find("vector_add", None), remembered()
    oracle = TaskOracle(task, _Sum(), memory)
    small, large = Case({"n": 1000}), Case({"n": 1 << 22})
    for case, kept in ((small, True), (large, False)):
        first = await oracle.question(case, 1)
        again = await oracle.question(case, 1)
        assert (first.inputs["x"] is again.inputs["x"]) is kept
