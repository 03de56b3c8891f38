from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.nsight.stand_ins import StandIn


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[..., StandIn]:
    def make(name: str, *says: str, status: int = 0) -> StandIn:
        return StandIn(tmp_path, name, [{"says": text, "status": status} for text in says])

    return make
