"""What a toolbox is made of on this machine, and what a judgement may take."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.closing import Closes
from sandbox.compiler.service import Compiler
from sandbox.device import Device
from sandbox.devices.open import open_device
from sandbox.devices.simulated import SimulatedDevice
from sandbox.isolation.choose import choose_isolation
from sandbox.proof.service import Prover
from sandbox.reference.service import References
from tools.judge.oracle import Answers
from tools.stages.compiling import Compiles
from tools.stages.proving import Proves


@dataclass(frozen=True)
class Limits:
    """What one judgement may take.

    Attributes:
        compile_s: Seconds of processor time for one compilation.
        run_s: Seconds of processor time for one run of a test case; of wall time on a GPU.
        profile_s: Seconds of wall time for timing one benchmark shape on a GPU.
        timing_s: Seconds of wall time for the samples of one benchmark shape, on a GPU.
        timing_inputs: Sets of inputs that these samples alternate between; the answer to each takes CPU time.
        seeds: Inputs that each test case is tried with.
        sweep: Settings of the tunables that a sweep tries at most.
        bench_work: Thread-instructions that are simulated to judge the results at one benchmark shape.
        bench_s: Seconds of processor time for that; of wall time on a GPU.
        hazard_s: Seconds of wall time for each tool that looks for hazards, on one test case.
    """

    compile_s: float = 30.0
    run_s: float = 60.0
    profile_s: float = 30.0
    timing_s: float = 15.0
    timing_inputs: int = 3
    seeds: int = 2
    sweep: int = 12
    bench_work: float = 6e9
    bench_s: float = 600.0
    hazard_s: float = 120.0


class CompilerService(Compiles, Closes, Protocol):
    """What compiles."""


class AnswerService(Answers, Closes, Protocol):
    """What knows answers."""


class ProofService(Proves, Closes, Protocol):
    """What proves."""

    def check(self) -> None:
        """Raise MissingDependencyError where the verifier is not installed."""
        ...


@dataclass(frozen=True)
class ToolboxParts:
    """What a toolbox is made of; it owns them.

    Attributes:
        width: How many plans the device runs at once.
        ahead: Start what a judgement needs once its kernel is compiled.
    """

    compiler: CompilerService
    answers: AnswerService
    device: Device
    isolation: str
    width: int = 1
    prover: ProofService | None = None
    ahead: tuple[Callable[[], Awaitable[None]], ...] = ()


def local_parts(device: str, cache: Path, workers: int | None, isolation: str | None = None) -> ToolboxParts:
    """Return the parts of a toolbox on this machine; nothing is started until it is used.

    Args:
        device: A device's name, or `auto`.
        cache: Folder for compiled programs.
        workers: Processes for each role; None for one a core, at most four.
        isolation: By name; None for what the environment says.

    Raises:
        UsageError: There is no such device.
        MissingDependencyError: This machine lacks the device, the compiler or its headers.
    """
    width = workers or max(1, min(4, len(os.sched_getaffinity(0))))
    confined = choose_isolation(isolation)
    opened = open_device(device, confined, workers=width)
    compiler = Compiler(confined, cache=cache / "compiled", workers=width)
    references = References(confined)
    ahead = (references.warm, opened.warm) if isinstance(opened, SimulatedDevice) else ()
    return ToolboxParts(compiler, references, opened, confined.name, width, Prover(confined), ahead)
