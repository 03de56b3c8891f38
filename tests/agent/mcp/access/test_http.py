"""The server over HTTP, on a real socket: who may connect, what one tenant sees of another, and the limits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from mcp import Client
from starlette.applications import Starlette
from uvicorn.server import ServerState

from agent.home import Home
from agent.mcp.access import connections, sessions
from agent.mcp.access.http import ListenAddress, listen, serve_on
from agent.mcp.access.tokens import Allowance, TokenFile
from agent.mcp.server import build_server
from sandbox.errors import UsageError
from tests.agent.mcp.http_serving import Served, ask, bearer, http_server, own_run

in_both_modes = pytest.mark.parametrize("mode", ["auto", "legacy"])
PAGE = "https://chat.example"
"""A page whose scripts may call the server."""
NEW_TASK = {"task": "vector_add", "candidates": 1, "depth": 1}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tokens(home: Path) -> dict[str, str]:
    file = TokenFile(Home(home).tokens)
    slow = Allowance(requests_per_minute=3)
    return {
        "ada": file.add("ada", Allowance(searches_at_once=1, candidates_per_day=6)),
        "bob": file.add("bob"),
        "eve": file.add("eve"),
        "slow": file.add("slow", slow),
    }


@pytest.fixture(scope="module")
def server(home: Path, tokens: dict[str, str]) -> Iterator[Served]:
    with http_server(home, "--allow-origin", PAGE) as served:
        yield served


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    assert answer.structured_content is not None
    return answer.structured_content


async def complaint(client: Client, tool: str, **arguments: object) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer.structured_content
    return str(getattr(answer.content[0], "text", ""))


def test_without_a_valid_token_nothing_is_answered(server: Served, tokens: dict[str, str]) -> None:
    for token in (None, "warpwright_wrong", tokens["ada"][:-1]):
        refused = ask(server.url, token)
        assert refused.status_code == 401
        assert "bearer" in refused.headers["www-authenticate"].lower()
    assert ask(server.url, tokens["ada"]).status_code == 200


def test_only_known_hosts_and_origins_are_answered(server: Served, tokens: dict[str, str]) -> None:
    for headers, status in (
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:80"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ):
        assert ask(server.url, tokens["ada"], **headers).status_code == status, headers


def test_a_body_that_is_too_big_is_refused_unread(server: Served, tokens: dict[str, str]) -> None:
    big = b'{"x": "' + b"x" * (10 << 20) + b'"}'
    headers = {**bearer(tokens["ada"]), "content-type": "application/json"}
    assert httpx2.post(server.url, content=big, headers=headers).status_code == 413


def test_a_page_that_may_call_gets_its_preflight_answered_and_no_other_does(server: Served) -> None:
    wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = httpx2.options(server.url, headers={"origin": PAGE, **wanted})
    refused = httpx2.options(server.url, headers={"origin": "https://evil.example", **wanted})
    answered = ask(server.url, None, origin=PAGE)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-origin" not in refused.headers
    assert "error" in refused.json()
    assert answered.headers["access-control-allow-origin"] == PAGE
    assert "mcp-session-id" in answered.headers["access-control-expose-headers"]


def test_whatever_is_refused_is_refused_in_json(server: Served, tokens: dict[str, str]) -> None:
    root = server.url.removesuffix("/mcp")
    good = bearer(tokens["bob"])
    answers = {
        401: ask(server.url, None),
        403: ask(server.url, tokens["bob"], origin="null"),
        404: httpx2.get(f"{root}/nothing", headers=good),
        405: httpx2.put(server.url, headers=good),
        421: ask(server.url, tokens["bob"], host="evil.example"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("application/json")
        assert isinstance(answer.json(), dict)


def test_pages_stand_beside_mcp_and_a_browsers_session_counts_for_them_alone(
    server: Served, tokens: dict[str, str]
) -> None:
    root = server.url.removesuffix("/mcp")
    refused = httpx2.get(f"{root}/")
    assert (refused.status_code, refused.headers["location"]) == (303, "/sign-in?to=/")
    form = {"token": tokens["bob"], "to": "/tasks"}
    signed_in = httpx2.post(f"{root}/sign-in", data=form, headers={"origin": root})
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/tasks")
    session = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    assert "softmax" in httpx2.get(f"{root}/tasks", headers=session).text
    assert "softmax" in httpx2.get(f"{root}/tasks", headers=bearer(tokens["bob"])).text
    assert ask(server.url, None, **session).status_code == 401


def test_half_a_request_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_S", 0.2)

    async def served_elsewhere() -> list[bytes]:
        config = uvicorn.Config(
            Starlette(), http=connections.PunctualConnection, log_level="critical", port=0
        )
        config.load()
        state = ServerState()
        made = partial(connections.PunctualConnection, config, state, {})
        listening = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        said: list[bytes] = []
        whole = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        for first, half in ((b"", b""), (b"", b"POST /mcp"), (whole, b"GET /"), (b"", b"no http\r\n\r\n")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            begun = await reader.readuntil(b"Not Found\r\n") if first else b""
            writer.write(half)
            said.append(begun + await asyncio.wait_for(reader.read(), 20))
            writer.close()
        listening.close()
        return said

    silent, half, again, wrong = asyncio.run(served_elsewhere())
    for answer in (silent, half):
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'{"error": "no request within' in answer
    assert again.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 408 " in again
    assert wrong.startswith(b"HTTP/1.1 400 ")
    assert b'{"error"' in wrong


def test_one_caller_cannot_open_all_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_ONE", 2)
    known = sessions.OpenSessions()
    for session in ("a", "b"):
        assert not known.full("ada")
        known.note("ada", session)
    assert known.full("ada")
    assert not known.full("bob")
    known.forget("ada", "a")
    assert not known.full("ada")
    monkeypatch.setattr(sessions, "FORGOTTEN_S", 0.0)
    known.note("ada", "c")
    time.sleep(0.01)
    assert not known.full("ada")


def test_who_holds_many_sessions_open_is_told_to_end_some(server: Served, tokens: dict[str, str]) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        },
    }
    accept = {"accept": "application/json, text/event-stream"}
    with httpx2.Client(headers=accept | bearer(tokens["eve"])) as client:
        opened = [client.post(server.url, json=hello) for _ in range(sessions.MOST_OF_ONE)]
        assert {answer.status_code for answer in opened} == {200}
        refused = client.post(server.url, json=hello)
        assert refused.status_code == 429
        assert "sessions open" in refused.json()["error"]
        assert ask(server.url, tokens["eve"]).status_code == 200
        assert client.delete(server.url, headers={"mcp-session-id": opened[0].headers["mcp-session-id"]})
        assert client.post(server.url, json=hello).status_code == 200
        assert httpx2.post(server.url, json=hello, headers=accept | bearer(tokens["ada"])).status_code == 200


def test_who_asks_too_often_is_told_when_to_come_back(server: Served, tokens: dict[str, str]) -> None:
    answers = [ask(server.url, tokens["slow"]) for _ in range(5)]
    assert [answer.status_code for answer in answers][:3] == [200] * 3
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert ask(server.url, tokens["bob"]).status_code == 200


@in_both_modes
async def test_a_tenant_has_no_way_to_anothers_runs_or_to_folders(
    mode: str, home: Path, server: Served, tokens: dict[str, str]
) -> None:
    theirs, mine = own_run(home, "ada"), own_run(home, "bob")
    async with server.client(tokens["bob"], mode) as bob:
        for tool in ("search_status", "search_result", "cancel_search"):
            assert "no run named" in await complaint(bob, tool, run=theirs)
        assert "no run named" in await complaint(bob, "start_search", resume=theirs)
        listed = [line["run"] for line in (await call(bob, "list_searches"))["searches"]]
        assert mine in listed
        assert theirs not in listed
        assert (await call(bob, "search_result", run=mine))["run"] == mine
        folder = Path(__file__).parents[4] / "examples/tasks/softmax"
        for path in (str(folder), "../../etc", "/etc"):
            for tool, more in (("get_task", {}), ("start_search", {})):
                assert "no task" in await complaint(bob, tool, task=path, **more)


async def test_searches_at_once_and_candidates_a_day_are_limited_by_token(
    server: Served, tokens: dict[str, str]
) -> None:
    async with server.client(tokens["ada"]) as ada, server.client(tokens["bob"]) as bob:
        assert "candidates" in await complaint(ada, "start_search", task="vector_add", candidates=4, depth=4)
        started = await call(ada, "start_search", **NEW_TASK)
        assert "cancel_search" in await complaint(ada, "start_search", **NEW_TASK)
        other = await call(bob, "start_search", **NEW_TASK)
        for client, status in ((ada, started), (bob, other)):
            assert (await call(client, "cancel_search", run=status["run"]))["state"] != "running"


def test_a_withdrawn_token_is_refused_at_once_and_no_token_is_kept_in_the_file(
    home: Path, server: Served, tokens: dict[str, str]
) -> None:
    file = TokenFile(Home(home).tokens)
    text = file.add("guest")
    assert ask(server.url, text).status_code == 200
    file.remove("guest")
    assert ask(server.url, text).status_code == 401
    kept = Home(home).tokens.read_text()
    assert not any(token in kept for token in tokens.values())
    assert Home(home).tokens.stat().st_mode & 0o077 == 0
    assert {token["name"] for token in json.loads(kept)["tokens"]} == {"ada", "bob", "eve", "slow"}


async def test_on_loopback_without_tokens_the_machines_own_person_sees_every_run(tmp_path: Path) -> None:
    runs = {own_run(tmp_path, tenant) for tenant in ("", "ada")}
    with http_server(tmp_path) as served:
        for mode in ("auto", "legacy"):
            async with served.client(mode=mode) as client:
                assert {line["run"] for line in (await call(client, "list_searches"))["searches"]} == runs
                assert (await call(client, "get_task", task="softmax"))["name"] == "softmax"
        assert ask(served.url, None, origin="https://evil.example").status_code == 403
        served.process.terminate()
        assert served.process.wait(20) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_no_listening_beyond_this_machine_without_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="warpwright token add"):
        listen(ListenAddress(host, 0), authenticated=False)


def test_names_of_tokens_are_bounded_and_unique(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    file.add("ada")
    for name in ("ada", "../x", "", "Ada", "a" * 41):
        with pytest.raises(UsageError):
            file.add(name)
    with pytest.raises(UsageError, match="token list"):
        file.remove("bob")
    (tmp_path / "tokens.json").write_text("[]")
    with pytest.raises(UsageError, match="not a file of tokens"):
        list(file)


async def test_an_interrupt_before_a_server_starts_ends_it_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with listen(ListenAddress(port=0), authenticated=False) as listening:

        async def interrupted() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await serve_on(listening, build_server(Home(tmp_path), "auto"), ListenAddress(port=0))

        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(interrupted())
    assert capsys.readouterr() == ("", "")
