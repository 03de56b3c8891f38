"""Runs or resumes a search in a process of its own, for tests that kill it.

Usage: killed_search.py start HOME TASK URL | killed_search.py resume HOME RUN
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent.home import Home
from agent.results import SearchRequest, SearchResult
from agent.search.starting import resume_search, start_search
from tests.agent.search_fakes import FakeToolbox


async def main(verb: str, home: str, *words: str) -> SearchResult:
    if verb == "resume":
        return await resume_search(words[0], home=Home(Path(home)), toolbox=FakeToolbox())
    task, url = words
    request = SearchRequest(task=task, model="some-model", base_url=url, candidates=3, depth=2, seed=7)
    return await start_search(request, home=Home(Path(home)), toolbox=FakeToolbox())


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:])).model_dump_json())  # noqa: T201
