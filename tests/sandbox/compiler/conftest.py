from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from sandbox.compiler.service import Compiler
from sandbox.isolation.base import Isolation


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def compiler(bubblewrapped: Isolation) -> AsyncIterator[Compiler]:
    """One for a module, its worker started before any test; what stops or breaks a worker takes one of its own."""
    async with Compiler(bubblewrapped) as compiler:
        await compiler.warm()
        yield compiler
