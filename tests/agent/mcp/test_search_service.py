"""Whose settings a server's searches go by."""

from __future__ import annotations

import pytest

from agent.home import Home
from agent.mcp import search_service
from agent.mcp.search_service import SearchService
from tests.agent.search_fakes import FakeToolbox


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
