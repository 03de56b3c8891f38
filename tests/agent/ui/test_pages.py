"""Pages without a browser: who sees what, what is refused, and what strangers wrote."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from agent.home import Home
from agent.mcp.access.tokens import TokenFile
from agent.mcp.offer import Offer
from agent.results import RunState, SearchRequest, Stop
from agent.store import NewRun, Store
from tests.agent.report.stored_search import search
from tests.agent.report.test_pages import HOSTILE, Page, figures
from tests.agent.ui.serving import URL, pages

WORDS = HOSTILE.replace("\ud800", "")


@pytest.fixture
async def client(home: Home) -> AsyncIterator[httpx2.AsyncClient]:
    async with pages(home) as client:
        yield client


def run_of(home: Home, tenant: str) -> str:
    request = SearchRequest(task="softmax", tenant=tenant)
    new = NewRun(request, "softmax", home.root, "0" * 64, "sim:h200", "process", "composer", 1)
    run = Store(home).create(new)
    Store(home).runs.end(run, RunState.CANCELLED, Stop.CANCELLED, seconds=0)
    return run


async def test_nothing_that_a_stranger_wrote_executes_on_any_page(
    client: httpx2.AsyncClient, home: Home, task_folder: Path
) -> None:
    first, second = (search(Store(home), task_folder, 11, WORDS) for _ in range(2))
    refused = await client.post("/draft", data={"kernel": WORDS, "name": WORDS, "summary": WORDS})
    draft = {"task.toml": WORDS, "reference.py": WORDS, "baseline.cu": WORDS}
    answers = [
        refused,
        await client.post("/tasks", data=draft),
        await client.post("/runs", data={"task": WORDS, "device": WORDS, "model": WORDS, "depth": WORDS}),
        *[await client.get(path) for path in ("/", f"/runs/{first}", f"/compare?run={first}&run={second}")],
        await client.get("/tasks/x", params={"q": WORDS}),
        await client.get("/compare", params={"run": [first, WORDS]}),
    ]
    for answer in answers:
        page = Page(answer.text)
        assert page.open == [], answer.url
        for tag, attributes in page.tags:
            assert not any(name.startswith(("on", "hx-on")) for name in attributes), answer.url
            assert tag not in {"iframe", "object", "embed", "base", "img", "video", "audio", "foreignobject"}
            if tag == "script":
                assert str(attributes["src"]).startswith("/assets/")
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", answer.text)
    assert [answer.status_code for answer in answers] == [422, 422, 422, 200, 200, 200, 404, 404]


async def test_figures_of_a_run_are_those_of_its_json_with_unit_and_provenance(
    client: httpx2.AsyncClient, home: Home, task_folder: Path
) -> None:
    run = search(Store(home), task_folder, 11)
    told = (await client.get(f"/runs/{run}/report.json")).json()
    known = {(value, provenance) for value, _, provenance in figures(told)}
    for path in (f"/runs/{run}", "/"):
        text = (await client.get(path)).text
        shown = re.findall(r'<data value="([^"]+)">([^<]*)<i>(\w+)</i></data>', text)
        assert shown
        assert {(float(value), provenance) for value, _, provenance in shown} <= known
    best = re.findall(r'<td class="n"><data value="([^"]+)">([^<]*)<i>estimated</i>', text)
    assert best == [
        (str(told["best"]["latency"]["value"]), f"{told['best']['latency']['value']:.1f} us "),
        (str(told["best"]["speedup"]["value"]), f"{told['best']['speedup']['value']:.2f}x "),
    ]


async def test_every_answer_forbids_foreign_script_framing_and_sniffing(
    client: httpx2.AsyncClient, home: Home, task_folder: Path
) -> None:
    run = search(Store(home), task_folder, 3)
    for path in ("/", "/nowhere", "/tasks", f"/runs/{run}", f"/runs/{run}/report.html", "/assets/page.css"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy or path.endswith("report.html")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"host": "rebound.example"}, 421),
    ],
)
async def test_another_pages_form_and_another_name_are_refused_before_anything_is_done(
    client: httpx2.AsyncClient, home: Home, headers: dict[str, str], status: int
) -> None:
    run = run_of(home, "")
    answer = await client.post(f"/runs/{run}/resume", headers=headers)
    assert answer.status_code == status
    assert Store(home).get_run(run).state is RunState.CANCELLED
    if "host" in headers:
        assert (await client.get("/", headers=headers)).status_code == 421


async def test_who_is_not_signed_in_sees_nothing_and_who_is_sees_only_his_own(home: Home) -> None:
    tokens = TokenFile(home.tokens)
    secret = tokens.add("ada")
    tokens.add("bob")
    hers, his = run_of(home, "ada"), run_of(home, "bob")
    async with pages(home, tokens, secure=True) as client:
        for path in ("/", "/tasks", f"/runs/{hers}", f"/runs/{hers}/report.json", "/compare?run=a&run=b"):
            answer = await client.get(path)
            assert (answer.status_code, hers in answer.text) == (303, False), path
        assert (await client.get("/changes")).status_code == 401
        assert (await client.post(f"/runs/{hers}/resume")).headers["location"] == "/sign-in?to=/"
        assert (await client.post("/sign-in", data={"token": "warpwright_no"})).status_code == 401

        answer = await client.post("/sign-in", data={"token": secret, "to": "//elsewhere.example"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert secret not in cookie
        assert {"HttpOnly", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
        client.cookies.clear()
        client.headers["cookie"] = cookie.partition(";")[0]  # which HTTP without TLS would not send

        text = (await client.get("/")).text
        assert hers in text
        assert his not in text
        assert (await client.get(f"/runs/{his}")).status_code == 404
        assert (await client.post(f"/runs/{his}/cancel")).status_code == 409
        assert (await client.get(f"/compare?run={hers}&run={his}")).status_code == 404

    async with pages(home, TokenFile(home.tokens)) as later:  # after a restart
        later.headers["cookie"] = cookie.partition(";")[0]
        assert hers in (await later.get("/")).text
        tokens.remove("ada")
        assert (await later.get("/")).status_code == 303


async def test_a_session_of_another_home_or_a_changed_one_is_none(home: Home, tmp_path: Path) -> None:
    tokens = TokenFile(home.tokens)
    secret = tokens.add("ada")
    other = Home(tmp_path / "other")
    other.root.mkdir()
    async with pages(other, tokens) as client:
        foreign = (await client.post("/sign-in", data={"token": secret})).headers["set-cookie"]
    async with pages(home, tokens) as client:
        client.headers["cookie"] = foreign.partition(";")[0]
        assert (await client.get("/")).status_code == 303
    assert home.page_key.stat().st_mode & 0o077 == 0


async def test_a_server_that_is_only_read_offers_no_changes(home: Home) -> None:
    run = run_of(home, "")
    async with pages(home, offer=Offer(read_only=True)) as client:
        for path in ("/", f"/runs/{run}", "/tasks"):
            assert "<button class" not in (await client.get(path)).text
        for path in ("/runs", f"/runs/{run}/resume", f"/runs/{run}/cancel", "/tasks", "/draft"):
            assert (await client.post(path)).status_code in (404, 405)


async def test_what_a_form_gets_wrong_is_said_beside_what_was_filled_in(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/runs", data={"task": "softmax", "device": "sim:h200", "depth": "999"})
    assert answer.status_code == 422
    assert 'role="alert">depth: ' in answer.text
    assert 'value="999"' in answer.text
    answer = await client.post("/runs", data={"task": "softmax", "device": "cuda:7"})
    assert "device: this server judges on sim:h200" in answer.text
    answer = await client.post("/draft", data={"kernel": "int x;", "name": "mine"})
    assert "no __global__ function" in answer.text
    assert "int x;" in answer.text
    assert "choose two searches to compare" in (await client.get("/compare?run=a")).text
    answer = await client.post("/draft", content=b"x" * 2_000_000, headers={"content-type": "text/plain"})
    assert (answer.status_code, "a form was expected" in answer.text) == (409, True)


async def test_a_kernel_becomes_a_draft_and_a_task_a_copy_to_change(client: httpx2.AsyncClient) -> None:
    kernel = (
        "__global__ void twice(const float* x, float* y, int n) {\n    int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i < n) y[i] = 2 * x[i];\n}\n"
    )
    drafted = (await client.post("/draft", data={"kernel": kernel, "name": "twice"})).text
    assert "def reference(" in drafted
    assert "name = &#34;twice&#34;" in drafted
    copied = (await client.get("/draft", params={"like": "softmax"})).text
    assert "name = &#34;softmax_2&#34;" in copied
    assert (await client.get("/draft", params={"like": "../softmax"})).status_code == 404


async def test_no_page_names_a_folder_of_the_server(
    client: httpx2.AsyncClient, home: Home, task_folder: Path
) -> None:
    folder = task_folder.rename(home.root / "twice")
    run = search(Store(home), folder, 3)
    (folder / "task.toml").unlink()
    for path in (f"/runs/{run}", f"/runs/{run}/report.html", f"/runs/{run}/report.json"):
        text = (await client.get(path)).text
        assert "is gone or cannot be read" in text
        assert str(home.root) not in text


async def test_what_follows_a_page_comes_in_one_script_with_htmx_which_waits_for_no_other(
    client: httpx2.AsyncClient,
) -> None:
    (script,) = re.findall(r'<script src="([^"]+)" defer></script>', (await client.get("/")).text)
    text = (await client.get(script)).text
    assert text.index('version="4.0.1"') < text.index('registerExtension("sse"')


async def test_the_addresses_are_the_servers_own(client: httpx2.AsyncClient) -> None:
    assert str(client.base_url).startswith(URL)
    text = (await client.get("/tasks/softmax")).text
    assert all(value.startswith(("/", "#")) for value in re.findall(r'(?:href|src|action)="([^"]*)"', text))
