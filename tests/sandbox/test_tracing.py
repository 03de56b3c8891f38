"""Requests to workers, told on standard error."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sandbox.errors import WorkerDeadlineError
from sandbox.isolation.base import WorkerSpec
from sandbox.isolation.process import ProcessIsolation
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall, ReferenceFault

LINE = re.compile(r"trace: (\S+): (\d+) bytes sent, (\d+) bytes received, (\d+\.\d{3}) s(?:, (\w+))?")
DOUBLED = "def reference(x):\n    return {'y': x * 2}\n"
ENDLESS = "def reference(x):\n    while True:\n        pass\n"


def call(text: str, elements: int) -> ReferenceCall:
    return ReferenceCall(text, {"x": np.ones(elements, np.float32)}, {}, {}, 1, 0)


async def asked(*calls: ReferenceCall) -> list[Expected | ReferenceFault]:
    async with WorkerPool(WorkerSpec("reference", 4 << 30), ProcessIsolation()) as pool:
        return [await pool.request(one, Expected, ReferenceFault, deadline_s=60) for one in calls]


async def test_every_request_is_told_in_one_line_with_its_role_bytes_and_seconds(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARPWRIGHT_TRACE", "1")
    await asked(call(DOUBLED, 10), call(DOUBLED, 1010))
    lines = capfd.readouterr().err.splitlines()
    told = [found for line in lines if (found := LINE.fullmatch(line))]
    assert len(told) == len(lines) == 2
    assert {found[1] for found in told} == {"reference"}
    small, large = ([int(found[2]), int(found[3])] for found in told)
    assert 4000 <= large[0] - small[0] < 4100, "a thousand float32 more in the request"
    assert large[1] - small[1] >= 8000, "as many float64 in the answer"
    assert all(found[5] is None for found in told)


async def test_a_request_without_an_answer_is_told_with_what_there_was_instead(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARPWRIGHT_TRACE", "1")
    async with WorkerPool(WorkerSpec("reference", 4 << 30), ProcessIsolation()) as pool:
        with pytest.raises(WorkerDeadlineError):
            await pool.request(call(ENDLESS, 1), Expected, deadline_s=0.2)
    found = LINE.fullmatch(capfd.readouterr().err.strip())
    assert found is not None
    assert (found[3], found[5]) == ("0", "WorkerDeadlineError")


@pytest.mark.parametrize("value", [None, "0", ""])
async def test_nothing_is_told_unless_it_is_wanted(
    value: str | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WARPWRIGHT_TRACE", raising=False)
    if value is not None:
        monkeypatch.setenv("WARPWRIGHT_TRACE", value)
    (answer,) = await asked(call(DOUBLED, 3))
    assert isinstance(answer, Expected)
    assert capfd.readouterr().err == ""
