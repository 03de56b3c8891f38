"""Chromium for tests: Debian's, driven by Playwright; none is downloaded."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)
PATIENCE_MS = 90_000
"""How long a page may take on a machine that has much else to do."""
SERIOUS = {"serious", "critical"}


def chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def missing() -> str:
    """Say what of it is missing here; nothing where all is there."""
    packages = [
        name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None
    ]
    return ", ".join([*packages, *([] if chromium() else ["chromium"])])


@dataclass
class Seen:
    """What a page complained of."""

    complaints: list[str] = field(default_factory=list[str])

    def watch(self, page: Page) -> None:
        page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=[*_OPTIONS])
        yield started
        await started.close()


@asynccontextmanager
async def looking(browser: Browser, width: int = 1280) -> AsyncIterator[tuple[Page, Seen]]:
    """Give a page in a window of its own, and what it will complain of."""
    context = await browser.new_context(color_scheme="light", viewport={"width": width, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    page, seen = await context.new_page(), Seen()
    seen.watch(page)
    yield page, seen
    await context.close()


async def look(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    """Look at a page by day or by night, in a window of another width."""
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 900})


async def faults(page: Page) -> list[str]:
    """What axe finds that is serious, with the first place of each."""
    from axe_playwright_python.async_playwright import Axe

    found = (await Axe().run(page)).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in SERIOUS]
