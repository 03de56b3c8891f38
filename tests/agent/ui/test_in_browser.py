"""The pages in Chromium: a real search is followed, cancelled and outlives the server; all of it can be used and read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client
from mcp.server.apps import APP_MIME_TYPE

from agent.home import Home
from agent.mcp.search_app import view_page
from agent.mcp.server import build_server
from agent.report.html import html
from agent.report.reading import read_account
from agent.results import RunState
from agent.store import Store
from agent.ui import live
from tests.agent.mcp.test_search_app import RendersViews
from tests.agent.quick_task import quick_task
from tests.agent.report.stored_search import search
from tests.agent.report.test_pages import HOSTILE
from tests.agent.search_fakes import write_task
from tests.agent.supervisors import supervised_here
from tests.agent.ui import browsing
from tests.agent.ui.serving import Here

pytestmark = [
    pytest.mark.skipif(bool(browsing.missing()), reason=f"not installed: {browsing.missing()}"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    folder = quick_task(home.tasks)
    toml = folder / "task.toml"
    toml.write_text(toml.read_text().replace('name = "vector_add"', 'name = "quick_add"'))
    folder.rename(home.tasks / "quick_add")
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(home: Home) -> AsyncIterator[Here]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "PAUSE_S", 0.1)
        async with supervised_here(home):
            here = Here(home)
            await here.start()
            yield here
            await here.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    async with browsing.browser() as browser:
        yield browser


async def start(page: Any, here: Here, candidates: int, depth: int) -> str:
    """Start a search with the keyboard, as someone without a mouse does, and return its name."""
    await page.goto(f"{here.url}/?task=quick_add")
    await page.get_by_label("Kernels a round").fill(str(candidates))
    await page.get_by_label("Rounds at most").fill(str(depth))
    await page.get_by_role("button", name="Start").press("Enter")
    await page.wait_for_url(re.compile("/runs/"))
    return page.url.rpartition("/")[2]


async def test_a_search_is_followed_to_its_end_across_a_restart_of_the_server(
    here: Here, browser: Any
) -> None:
    async with browsing.looking(browser) as (page, seen):
        run = await start(page, here, candidates=1, depth=2)
        await page.evaluate("window.stayed = true")
        await page.wait_for_selector("#part-progress svg")
        assert seen.complaints == []
        await here.stop()
        await here.start()
        await page.wait_for_selector("#status .state.completed")
        await page.wait_for_selector("#part-best .code")
        assert await page.evaluate("window.stayed")
        assert await page.locator("#part-candidates details").count() == 2
        result = Store(here.home).get_result(run)
        assert result.best is not None
        shown = await page.locator("#part-about data").first.get_attribute("value")
        assert float(str(shown)) == result.best.latency_us
        expected = [one for one in seen.complaints if "ERR_CONNECTION_REFUSED" in one or "sse" in one]
        assert seen.complaints == expected


async def test_a_search_is_cancelled_and_goes_on_again(here: Here, browser: Any) -> None:
    async with browsing.looking(browser) as (page, seen):
        run = await start(page, here, candidates=2, depth=64)
        await page.get_by_role("button", name="Cancel").click()
        await page.wait_for_selector("#status .state.cancelled")
        assert Store(here.home).get_run(run).state is RunState.CANCELLED
        await page.get_by_role("button", name="Resume").click()
        await page.wait_for_selector("#status .state.running")
        await page.get_by_role("button", name="Cancel").click()
        await page.wait_for_selector("#status .state.cancelled")
        assert seen.complaints == []


async def test_the_list_of_searches_grows_by_itself_and_keeps_what_was_chosen(
    here: Here, home: Home, browser: Any, tmp_path: Path
) -> None:
    task, store = write_task(tmp_path / "twice"), Store(home)
    first = search(store, task, 5)
    async with browsing.looking(browser) as (page, seen):
        await page.goto(here.url)
        await page.get_by_label(f"Compare {first}").check()
        second = search(store, task, 5)
        await page.get_by_label(f"Compare {second}").check()
        await page.get_by_role("button", name="Compare").click()
        await page.wait_for_url(re.compile(f"run={second}&run={first}"))
        assert "Two runs compared" in await page.inner_text("h1")
        assert seen.complaints == []


async def test_a_draft_is_judged_and_kept(here: Here, home: Home, browser: Any) -> None:
    async with browsing.looking(browser) as (page, seen):
        await page.goto(f"{here.url}/draft?like=quick_add")
        await page.get_by_role("button", name="Judge its baseline").click()
        await page.wait_for_url(re.compile("/jobs/"))
        await page.wait_for_selector("#job .state.completed")
        assert "quick_add_2 is kept" in await page.inner_text("#job")
        assert (home.tasks / "quick_add_2" / "task.toml").is_file()
        assert seen.complaints == []


async def test_pages_fit_a_phone_complain_of_nothing_and_have_no_serious_fault(
    here: Here, home: Home, browser: Any, tmp_path: Path
) -> None:
    task, store = write_task(tmp_path / "twice"), Store(home)
    plain, hostile = search(store, task, 6), search(store, task, 6, HOSTILE.replace("\ud800", ""))
    report = tmp_path / "report.html"
    report.write_text(html(read_account(store, hostile)))
    read = [f"{here.url}/?task=softmax", f"{here.url}/draft?like=softmax", f"{here.url}/runs/{plain}"]
    others = ["/tasks", "/tasks/softmax", "/draft", f"/compare?run={plain}&run={hostile}", f"/runs/{hostile}"]
    looked = [*read, report.as_uri(), *(here.url + path for path in others)]
    async with browsing.looking(browser) as (page, seen):
        for address in looked:
            await browsing.look(page, "light", 1280)
            await page.goto(address)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 1280, address
            await browsing.look(page, "dark", 390)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, address
            if address in (*read, report.as_uri()):
                assert await browsing.faults(page) == [], address
        assert seen.complaints == []


async def test_a_report_prints_on_a_sane_number_of_pages(
    here: Here, home: Home, browser: Any, tmp_path: Path
) -> None:
    run = search(Store(home), write_task(tmp_path / "twice"), 11)
    async with browsing.looking(browser) as (page, _):
        await page.goto(f"{here.url}/runs/{run}/report.html")
        printed = await page.pdf(format="A4")
        assert 3 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12


async def test_a_view_in_a_chat_follows_a_search_through_its_host(
    home: Home, browser: Any, tmp_path: Path
) -> None:
    run = search(Store(home), write_task(tmp_path / "twice"), 6, HOSTILE.replace("\ud800", ""))
    async with Client(build_server(home, "auto"), extensions=[RendersViews(APP_MIME_TYPE)]) as client:
        answer = await client.call_tool("search_status", {"run": run})
    last = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    last["structuredContent"] |= {"candidates_judged": 6, "candidates_total": 8}
    first = {"content": [], "structuredContent": {**last["structuredContent"], "state": "running"}}
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    page_html = view_page().replace(
        "<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{policy}">', 1
    )
    async with browsing.looking(browser, width=500) as (page, seen):
        await page.goto((Path(__file__).parent / "host.html").as_uri())
        await page.evaluate("([html, first, later]) => begin(html, first, later)", [page_html, first, [last]])
        view = page.frame_locator("#view")
        await view.locator("#view svg").first.wait_for()
        status = await view.locator("#status").inner_text()
        assert status.startswith("completed, 6 of at most 8 candidates judged. </script>")
        assert "\u202e" not in status
        assert "\u27e8U+202E\u27e9" in status
        assert await view.locator("#progress-bar").get_attribute("value") == "6"
        dark = await view.locator("html").evaluate("one => getComputedStyle(one).getPropertyValue('--page')")
        assert dark == "#14171b"
        assert await view.locator("html").evaluate("one => one.scrollWidth") <= 500
        asked = await page.evaluate("seen")
        assert asked[:2] == ["ui/initialize", "ui/notifications/initialized"]
        assert asked.count("tools/call search_status") == 1
        assert "ui/notifications/size-changed" in asked
        assert seen.complaints == []
