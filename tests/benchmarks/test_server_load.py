"""What a client of several servers does where one is gone; the servers themselves are those of tests/agent/mcp."""

from __future__ import annotations

import json

import httpx2
import pytest

from benchmarks.server_load import Balanced, Seen

ANSWER = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": {"state": "running"}}})


async def asked(*answers: httpx2.Response | None) -> tuple[dict[str, object], Seen, list[str]]:
    """Ask two servers, which answer in this order; None is a connection that is refused."""
    urls: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        urls.append(str(request.url))
        said = answers[len(urls) - 1]
        if said is None:
            raise httpx2.ConnectError("refused")
        return said

    seen = Seen()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        return await Balanced(http, ["http://a/", "http://b/"], seen).call("search_status"), seen, urls


@pytest.mark.parametrize(
    "gone", [None, httpx2.Response(503), httpx2.Response(200, text='data: {"jsonrpc": "2.0", "id')]
)
async def test_a_question_to_a_server_that_is_gone_is_asked_of_the_next(gone: httpx2.Response | None) -> None:
    found, seen, urls = await asked(gone, httpx2.Response(200, text=ANSWER))
    assert (found, seen.again, urls) == ({"state": "running"}, 1, ["http://a/", "http://b/"])


async def test_an_answer_that_says_no_is_not_asked_for_again() -> None:
    with pytest.raises(RuntimeError, match="no run"):
        await asked(httpx2.Response(200, text=json.dumps({"error": {"message": "no run"}})))
