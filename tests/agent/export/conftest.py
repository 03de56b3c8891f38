"""The driver that needs no GPU, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.cuda import standing_in
from tests.sandbox.cuda.fake_driver import build


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its library."""
    if build.compiler() is None:
        pytest.skip("needs a C compiler")
    return standing_in.built(tmp_path_factory.mktemp("driver"))
