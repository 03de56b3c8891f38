from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# What stands next to this file is imported by the tests here.
sys.path.insert(0, str(Path(__file__).parent))

from stand_ins import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., StandIn]:
    def make(name: str, *says: str, status: int = 0) -> StandIn:
        return StandIn(tmp_path, name, [{"says": text, "status": status} for text in says])

    return make
