"""The harness's own kernels, and a GPU whose driver records what is asked of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The modules next to this file are imported by tests here.
sys.path.insert(0, str(Path(__file__).parent))

from harness_compiling import HARNESS, KERNELS, compiled

from sandbox.program import Program


@pytest.fixture(scope="session")
def harness_program() -> Program:
    return compiled((HARNESS / "harness.cu").read_text(), KERNELS, "sm_75")
