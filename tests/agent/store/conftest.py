"""What is said of the store is said of both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.home import Home
from agent.store.address import VARIABLE
from tests.postgres import cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose runs are in a file, and one whose runs are in PostgreSQL."""
    if request.param == "postgresql":
        monkeypatch.setenv(VARIABLE, cluster().database())
    return Home(tmp_path / "home")
