"""A plan in a folder of its own, and the command that runs it once for one of NVIDIA's tools to look at."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import codec, message_file
from sandbox.budget import Budget
from sandbox.device import Array
from sandbox.isolation.base import ENVIRONMENT, import_root, installed, interpreter, source_root
from sandbox.plan import Plan
from sandbox.program import Program
from sandbox.worker.messages import ProfileCall

BUFFERS = "buffers.json"
"""The file beside the job in which the program says where it put the buffers: by name, address and bytes."""

_SUBJECT = "sandbox/nsight/subject.py"


@dataclass(frozen=True)
class PlanRunner:
    """Who runs the plan.

    Attributes:
        role: A role of `sandbox.worker.roles` that takes a `RunCall`.
        model: What that call says of the device.
        packages: Import names of the packages that the role needs.
        variables: What its environment holds beside a worker's own.
    """

    role: str
    model: str
    packages: tuple[str, ...] = ("numpy",)
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """All of its environment; nothing of ours (keys!) is passed on."""
        # The tools start helpers of their own, which they look for on the PATH.
        return {**ENVIRONMENT, "PATH": "/usr/local/cuda/bin:/usr/bin:/bin", **dict(self.variables)}


@dataclass(frozen=True)
class PreparedPlan:
    """A plan that is ready to be run.

    Attributes:
        folder: Empty but for the job; gone when the context ends.
        command: Runs the plan once.
    """

    folder: Path
    command: tuple[str, ...]


@contextmanager
def prepared(
    target: PlanRunner, program: Program, plan: Plan, samples: Mapping[str, Array], deadline_s: float
) -> Generator[PreparedPlan]:
    """Write a job into a folder of its own.

    Args:
        target: Who runs it.
        program: Compiled for that device.
        plan: What to launch.
        samples: For every in and inout buffer an array; it is repeated to fill.
        deadline_s: Seconds of wall time for the run itself.
    """
    with tempfile.TemporaryDirectory(prefix="warpwright-") as name:
        folder = Path(name)
        call = ProfileCall(program, plan, samples, target.model, Budget(deadline_s))
        with (folder / "job").open("wb") as file:
            message_file.append(file, codec.to_message(call))
        roots = dict.fromkeys(str(import_root(package)) for package in installed(target.packages))
        root = source_root()
        words = (str(interpreter()), "-I", "-S", "-B", str(root / _SUBJECT), str(folder / "job"), target.role)
        yield PreparedPlan(folder, (*words, str(root), *roots))
