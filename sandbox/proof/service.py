"""The parent's side of proofs: a confined worker for every launch, within limits."""

from __future__ import annotations

import importlib.util

from sandbox.asking import LimitReached, ask
from sandbox.closing import AsyncClosing
from sandbox.errors import MissingDependencyError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.plan import Launch
from sandbox.pool import WorkerPool
from sandbox.program import Program
from sandbox.proof.opinion import LaunchProof, Opinion
from sandbox.worker.messages import ProveCall

PACKAGE = "sentryward"
MEMORY_BYTES = 8 << 30
_GRACE_S = 30.0


class Prover(AsyncClosing):
    """Asks the verifier about launches. Use as an async context manager, or call `aclose`."""

    def __init__(self, isolation: Isolation) -> None:
        """Start nothing yet."""
        spec = WorkerSpec(
            "prove", MEMORY_BYTES, packages=("numpy", PACKAGE), threads=True, writes=True, programs=True
        )
        self._pool = WorkerPool(spec, isolation)

    @staticmethod
    def check() -> None:
        """Say how to install the verifier where it is absent.

        Raises:
            MissingDependencyError: It is.
        """
        if importlib.util.find_spec(PACKAGE) is None:
            raise MissingDependencyError(
                f"proofs need the PyPI package {PACKAGE}, which is not installed: pip install 'warpwright[proof]'"
            )

    async def prove(self, program: Program, launch: Launch, *, seconds: float) -> LaunchProof:
        """Ask about one launch; what reaches a limit is undecided.

        Args:
            program: Compiled; its PTX is read.
            launch: Its sizes and arguments.
            seconds: Of wall time.

        Raises:
            WorkerError: No worker could be started.
        """
        call = ProveCall(program, launch, seconds)
        found = await ask(self._pool, call, LaunchProof, deadline_s=seconds + _GRACE_S, spent=lambda _: True)
        if isinstance(found, LimitReached):
            said = f"the verifier reached its limit: {found.limit}"
            return LaunchProof(launch.kernel, launch.line, Opinion.UNDECIDED, said)
        return found

    async def aclose(self) -> None:
        """Stop the workers; safe to call twice."""
        await self._pool.aclose()
