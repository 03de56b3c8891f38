"""Whose settings a server's searches go by, and what they say they found."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.home import Home
from agent.mcp import search_service
from agent.mcp.search_service import SearchService
from agent.store import Store
from sandbox.verdict import Provenance
from tests.agent.report.stored_search import search
from tests.agent.search_fakes import FakeToolbox, write_task
from tools.mcp.reading import text_of


def test_a_program_of_the_owners_settings_is_run_for_the_owner_alone(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.root.mkdir(parents=True)
    (home.root / "warpwright.toml").write_text('[models]\nmodel = "m"\ncoder_command = "claude -p"\n')
    service = SearchService(home, FakeToolbox())
    assert service.settings().model_settings().coder_command == "claude -p"
    monkeypatch.setattr(search_service, "tenant", lambda: "guest")
    kept = service.settings()
    assert (kept.models.model, kept.model_settings().coder_command) == ("m", None)


async def test_the_baseline_of_a_search_that_found_nothing_says_where_its_latency_comes_from(
    home: Home, tmp_path: Path
) -> None:
    run = search(Store(home), write_task(tmp_path / "twice"), 0)
    outcome = await SearchService(home, FakeToolbox()).outcome(run)
    assert (outcome.best, outcome.baseline_provenance) == (None, Provenance.ESTIMATED)
    assert "The baseline: 100 us estimated." in text_of(outcome)
