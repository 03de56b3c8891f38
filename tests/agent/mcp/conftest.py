from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.home import Home
from agent.supervisor.presence import supervisor_of
from tests.agent.supervisors import end_supervisor


@pytest.fixture(autouse=True)
def no_supervisor_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    for root in (tmp_path, tmp_path / "home"):
        end_supervisor(Home(root))
        assert supervisor_of(Home(root)) is None
