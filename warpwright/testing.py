"""A plugin for pytest: every kernel beside a task.toml is a test.

    pytest -p warpwright.testing kernels

or `pytest_plugins = ["warpwright.testing"]` in the conftest.py beside the root folder of the tests. A kernel that is
wrong fails its test, with the judge's message; one that this machine cannot judge is skipped, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from warpwright import Verdict, check

__all__ = ["pytest_addoption", "pytest_collect_file"]

_OURS = ("unsupported", "undecided")


class _WrongKernelError(Exception):
    """The kernel is not right; the text is the verdict and its message."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--warpwright-device`, and an ini option of that name."""
    group = parser.getgroup("warpwright")
    group.addoption("--warpwright-device", metavar="NAME", help="What judges kernels: auto, sim:h200, ...")
    parser.addini("warpwright_device", "What judges kernels: auto, sim:h200, ...", default="auto")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the kernels of a task's folder."""
    made: Any = getattr(_TaskFile, "from_parent")  # noqa: B009 - pytest does not type it
    return made(parent, path=file_path) if file_path.name == "task.toml" else None


class _TaskFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        for kernel in sorted(self.path.parent.glob("*.cu")):
            made: Any = getattr(_KernelItem, "from_parent")  # noqa: B009
            yield made(self, name=kernel.name, kernel=kernel)


class _KernelItem(pytest.Item):
    def __init__(self, *, kernel: Path, **more: Any) -> None:
        super().__init__(**more)  # pyright: ignore[reportUnknownMemberType]
        self._kernel = kernel

    def runtest(self) -> None:
        chosen = self.config.getoption("--warpwright-device") or self.config.getini("warpwright_device")
        verdict: Verdict = check(self._kernel, self._kernel.parent, device=chosen)
        if verdict.verdict in _OURS:
            pytest.skip(f"{verdict.verdict}: {verdict.message}")
        if not verdict.passed:
            raise _WrongKernelError(f"{verdict.verdict}: {verdict.message}")
        self.user_properties.append(("latency_us", verdict.latency_us))
        self.user_properties.append(("provenance", verdict.provenance))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, _WrongKernelError | ValueError):
            return f"{self._kernel}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self._kernel, 0, f"{self._kernel.parent.name}/{self._kernel.name}"
