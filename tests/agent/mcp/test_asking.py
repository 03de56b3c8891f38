"""A drafted task is shown to the person behind a real client, over a real socket, before it is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp.client.context import ClientRequestContext
from mcp.types import ElicitRequestParams, ElicitResult

from tests.agent.mcp.http_serving import Served, http_server

TASK: dict[str, Any] = {
    "name": "twice",
    "summary": "Twice a vector.",
    "dims": ["n"],
    "arguments": [
        {"name": "x", "role": "in", "dtype": "float32", "shape": ["n"], "data": "normal(0, 1)"},
        {"name": "y", "role": "out", "dtype": "float32", "shape": ["n"]},
    ],
    "tests": [{"dims": {"n": 1}}, {"dims": {"n": 129}}],
    "benches": [{"dims": {"n": 4096}}],
    "flops": "n",
    "bytes": "8 * n",
    "reference": "def reference(x, n):\n    return {'y': 2 * x}\n",
    "baseline": """//@ launch twice<<<ceil_div(n, 128), 128>>>(x, y, n)
__global__ void twice(const float* x, float* y, int n) {
    int i = blockIdx.x * 128 + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
""",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with http_server(tmp_path_factory.mktemp("home"), "--device", "sim:h200") as server:
        yield server


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_only_what_the_person_takes_is_kept(mode: str, served: Served) -> None:
    name = f"double_{mode}"
    answers = [
        ElicitResult(action="accept", content={"keep": True, "changes": f"call it {name}"}),
        ElicitResult(action="accept", content={"keep": True, "speedup": 2}),
    ]

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert "--- reference.py" in params.message
        return answers.pop(0)

    async with served.client(mode=mode, asks=person) as client:
        changed = await client.call_tool("create_task", {"task": TASK})
        listed = await client.call_tool("list_tasks", {})
        assert changed.is_error
        assert f"call it {name}" in changed.content[0].text
        assert name not in str(listed.structured_content)
        kept = await client.call_tool("create_task", {"task": TASK | {"name": name}})
        assert not kept.is_error, kept.content
        assert kept.structured_content["verdict"] == "pass"
        details = await client.call_tool("get_task", {"task": name})
        assert details.structured_content["target"]["speedup"] == 2
    assert not answers
