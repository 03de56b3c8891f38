"""A model over a real socket, judged by the real compiler and the simulator."""

from __future__ import annotations

import pytest

from agent.home import Home
from agent.results import SearchRequest
from agent.search.starting import start_search
from sandbox.verdict import Provenance, Verdict
from tests.agent.model_server import Answer, Question, serving

_LAUNCH = "//@ launch add<<<ceil_div(n, 256), 256>>>(x, y, out, n)\n"
_SIGNATURE = "__global__ void add(const float* x, const float* y, float* out, int n) {\n"
_INDEX = "  int i = blockIdx.x * blockDim.x + threadIdx.x;\n"


def reply(body: str) -> str:
    return f"Here it is.\n```cuda\n{_LAUNCH}{_SIGNATURE}{_INDEX}{body}}}\n```\n"


@pytest.fixture(autouse=True)
def no_proxy_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_API_KEY", "WARPWRIGHT_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def test_a_model_is_told_what_was_wrong_until_its_kernel_is_right_in_one_candidate(
    home: Home, quick: str
):
    answers: list[Answer] = [
        "I would add the two vectors.",
        reply("  if (i < n) out[i] = x[i] + z[i];\n"),
        reply("  if (i < n) out[i] = x[i] - y[i];\n"),
        429,
        500,
        reply("  if (i < n) out[i] = x[i] + y[i];\n"),
    ]
    left = iter(answers)

    def answer(question: Question) -> Answer:
        return next(left) if question.role == "coder" else "Memory traffic decides here."

    with serving(answer) as server:
        request = SearchRequest(
            task=quick,
            device="sim:h200",
            model="some-model",
            base_url=server.url,
            candidates=1,
            depth=1,
        )
        result = await start_search(request, home=home)
    (candidate,) = result.candidates
    assert candidate.verdict is Verdict.PASS
    turns = [question.text for question in server.of("coder")]
    assert "No kernel could be read" in turns[1]
    assert 'identifier "z" is undefined' in turns[2]
    assert "line 4" in turns[2]
    assert "out[0] got" in turns[3]
    assert result.best is not None
    assert result.best.provenance is Provenance.ESTIMATED
    assert "x[i] + y[i]" in result.best.path.read_text()
