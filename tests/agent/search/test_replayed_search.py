"""A search whose heavy kernels were once lost to deadlines: all that are right are judged, and the best one wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.home import Home
from agent.results import SearchRequest
from agent.search.starting import start_search
from sandbox.verdict import Verdict
from tests.agent.model_server import Answer, Question, serving
from tests.sandbox.simulator import in_process

SIDE = 64
TASK = f"""\
name = "product"
summary = "Product of two float32 matrices."
dims = ["m", "n", "k"]
[[args]]
name = "a"
role = "in"
dtype = "float32"
shape = "m, k"
data = "normal(0, 1)"
[[args]]
name = "b"
role = "in"
dtype = "float32"
shape = "k, n"
data = "normal(0, 1)"
[[args]]
name = "c"
role = "out"
dtype = "float32"
shape = "m, n"
[cost]
flops = "2 * m * n * k"
bytes = "4 * (m * k + k * n + m * n)"
[[test]]
dims = {{ m = 5, n = 33, k = 17 }}
[[bench]]
dims = {{ m = {SIDE}, n = {SIDE}, k = {SIDE} }}
"""
SIGNATURE = "product(const float* a, const float* b, float* c, int m, int n, int k)"
BASELINE = f"""\
//@ launch product<<<m, 1>>>(a, b, c, m, n, k)
__global__ void {SIGNATURE} {{
    int row = blockIdx.x;
    for (int col = 0; col < n; ++col) {{
        float sum = 0.0f;
        for (int i = 0; i < k; ++i) sum += a[row * k + i] * b[i * n + col];
        c[row * n + col] = sum;
    }}
}}
"""
TILED = f"""\
//@ launch product<<<(ceil_div(n, 16), ceil_div(m, 16)), (16, 16)>>>(a, b, c, m, n, k)
__global__ void {SIGNATURE} {{
    __shared__ float left[16][16], right[16][16];
    int x = threadIdx.x, y = threadIdx.y, col = blockIdx.x * 16 + x, row = blockIdx.y * 16 + y;
    float sum = 0.0f;
    for (int from = 0; from < k; from += 16) {{
        left[y][x] = row < m && from + x < k ? a[row * k + from + x] : 0.0f;
        right[y][x] = col < n && from + y < k ? b[(from + y) * n + col] : 0.0f;
        __syncthreads();
        for (int i = 0; i < 16; ++i) sum += left[y][i] * right[i][x];
        __syncthreads();
    }}
    if (row < m && col < n) c[row * n + col] = sum;
}}
"""
SPLIT = """\
//@ define PARTS = 4
//@ scratch partial: float32[PARTS * m * n]
//@ launch part<<<(ceil_div(n, 32), ceil_div(m, 8), PARTS), (32, 8)>>>(a, b, partial, m, n, k)
//@ launch add<<<ceil_div(m * n, 256), 256>>>(partial, c, m * n)
__global__ void part(const float* a, const float* b, float* partial, int m, int n, int k) {
    int col = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 8 + threadIdx.y, each = (k + PARTS - 1) / PARTS;
    if (row >= m || col >= n) return;
    int begin = blockIdx.z * each, end = min(begin + each, k);
    float sum = 0.0f;
    for (int i = begin; i < end; ++i) sum += a[row * k + i] * b[i * n + col];
    partial[(blockIdx.z * m + row) * n + col] = sum;
}
__global__ void add(const float* partial, float* c, int count) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= count) return;
    float sum = 0.0f;
    for (int part = 0; part < PARTS; ++part) sum += partial[part * count + i];
    c[i] = sum;
}
"""
REPLIES = (TILED.replace("        __syncthreads();\n        for", "        for"), TILED, SPLIT)
"""A race, tiled, split along k."""


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


async def test_every_right_kernel_of_a_replayed_search_is_judged_and_the_best_one_wins(
    home: Home, tmp_path: Path
):
    folder = tmp_path / "product"
    folder.mkdir()
    (folder / "task.toml").write_text(TASK)
    (folder / "reference.py").write_text("def reference(a, b, m, n, k):\n    return {'c': a @ b}\n")
    (folder / "baseline.cu").write_text(BASELINE)
    left = list(REPLIES)

    def answer(question: Question) -> Answer:
        if question.role != "coder":
            return "Loads wait."
        turns = [one["content"] for one in question.body["messages"] if one["role"] == "assistant"]
        return turns[-1] if turns else f"```cuda\n{left.pop(0)}```\n"

    with serving(answer) as server:
        request = SearchRequest(
            task=str(folder), model="m", base_url=server.url, candidates=len(REPLIES), depth=1, seed=1
        )
        result = await start_search(request, home=home, toolbox=in_process.toolbox(in_process.frozen_once()))
    kept = {one.sha: one for one in result.candidates}
    assert len(kept) == len(REPLIES)
    verdicts = sorted(one.verdict for one in result.candidates)
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.RACE]
    right = [one for one in result.candidates if one.verdict is Verdict.PASS]
    assert result.best is not None
    assert result.best.latency_us == min(one.latency_us or 0.0 for one in right)
    assert result.best.path.read_text() in REPLIES[1:]
