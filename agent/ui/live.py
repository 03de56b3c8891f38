"""Pages that follow what happens: fragments over server-sent events, each sent when it differs from the last one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import StreamingResponse

from agent.ui.rendering import site_of

Fragments = Mapping[str, str]
"""HTML by the id of the element whose content it is."""
PAUSE_S = 0.5
"""Between two looks at what happened."""
_IDLE_PAUSES = 20
"""Pauses after which a comment shows whether the browser is still there."""
_LONGEST_S = 900.0
"""Then the browser connects anew, and has to be known still."""
_SHARE = 4.0
"""So many times as long as drawing takes, nothing is drawn: large runs are not drawn all the time."""


Mark = Callable[[], Awaitable[object]]
Drawn = Callable[[], Awaitable[Fragments]]


def follow(request: Request, mark: Mark, fragments: Drawn) -> StreamingResponse:
    """Return a stream of a page's fragments; on every connection they all come once.

    Args:
        request: Who looks.
        mark: Returns what changes when something happened.
        fragments: Draws the page's parts.
    """
    stream = _changes(mark, fragments, site_of(request).ending)
    headers = {"x-accel-buffering": "no"}  # or a proxy may hold messages back
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _changes(mark: Mark, fragments: Drawn, ending: asyncio.Event) -> AsyncIterator[str]:
    began, seen, sent, idle = time.monotonic(), object(), dict[str, str](), 0
    while not ending.is_set() and time.monotonic() - began < _LONGEST_S:
        pause = PAUSE_S
        now = await mark()
        if now != seen:
            drawing = time.monotonic()
            drawn, seen = await fragments(), now
            pause = max(pause, _SHARE * (time.monotonic() - drawing))
            changed = {name: html for name, html in drawn.items() if sent.get(name) != html}
            sent.update(changed)
            if changed:
                yield _message(changed)
                idle = 0
        idle += 1
        if idle % _IDLE_PAUSES == 0:
            yield ": still here\n\n"
        await _unless(ending.wait(), pause)


async def _unless(event: Awaitable[object], seconds: float) -> None:
    """Wait so long, or until something ends the wait."""
    try:
        await asyncio.wait_for(event, seconds)
    except TimeoutError:
        return


def _message(fragments: Fragments) -> str:
    """Return one event, which htmx puts into the elements that it names."""
    text = "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{html}</hx-partial>'
        for name, html in fragments.items()
    )
    return "".join(f"data: {line}\n" for line in text.split("\n")) + "\n"
