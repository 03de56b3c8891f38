"""A worker with a GPU's view of the system starts under every isolation, also where there is no GPU."""

from __future__ import annotations

import pytest

from sandbox.isolation import gpu
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.worker.messages import Expected, ReferenceCall

pytestmark = pytest.mark.usefixtures("nothing_left")

LIMITS = """
import resource
def reference():
    return {'y': [resource.getrlimit(which)[0] for which in (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE)]}
"""


@pytest.mark.skipif(bool(gpu.gpus()), reason="there is a GPU: the real thing is tried elsewhere")
@pytest.mark.parametrize("isolation", ["bubblewrap", "process"], indirect=True)
async def test_its_private_memory_is_limited_and_not_its_addresses(isolation: Isolation) -> None:
    spec = WorkerSpec("reference", 1 << 30, threads=True, writes=True, gpu=0)
    async with WorkerPool(spec, isolation) as pool:
        answer = await pool.request(ReferenceCall(LIMITS, {}, {}, {}, 0, 0), Expected, deadline_s=20)
    data, files = (int(value) for value in answer.outputs["y"])
    assert data == 1 << 30
    assert files > 128
