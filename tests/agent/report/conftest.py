from __future__ import annotations

import pytest

from agent.home import Home
from agent.store import Store


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home)
