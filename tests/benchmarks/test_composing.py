import asyncio
from typing import Any, cast

import pytest

from agent.composer.space import Space
from benchmarks.composing import climbed
from sandbox.verdict import Verdict
from tools.local_toolbox import LocalToolbox
from tools.reports import ProfileReport
from tools.tasks.folder import find
from tools.toolbox import ProfileOrder

GAINS = {
    "vectorized_loads": 0.5,
    "grid_stride_loop": 0.9,
    "constant_dimensions": 0.999,
    "read_only_cache": 1.2,
}


class Invented:
    """A machine on which each feature multiplies the latency."""

    async def do(self, order: ProfileOrder[Any]) -> ProfileReport:
        line = next((one for one in order.kernel.splitlines() if one.startswith("// features: ")), "")
        latency = 100.0 if line else 300.0
        for name in line.removeprefix("// features: ").split(", "):
            latency *= GAINS.get(name, 1.0)
        return ProfileReport(Verdict.PASS, "", latency)


def test_the_best_kernel_has_the_features_that_help_and_no_other() -> None:
    task = find("relu")
    assert set(GAINS) <= set(Space(task).features)
    found = asyncio.run(climbed(task, cast("LocalToolbox", Invented())))
    assert set(found.features) == {"vectorized_loads", "grid_stride_loop"}
    assert (found.plain_us, found.best_us) == (100.0, pytest.approx(45.0))
    assert found.speedup == pytest.approx(300 / 45)
