from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sandbox.compiler.service import Compiler
from sandbox.isolation.base import Isolation


@pytest.fixture
async def compiler(bubblewrapped: Isolation) -> AsyncIterator[Compiler]:
    async with Compiler(bubblewrapped) as compiler:
        yield compiler
