"""What a call of a worker may cost: work and processor time, which no other load on the machine changes."""

from __future__ import annotations

from dataclasses import dataclass

FACTOR = 64
"""A kernel may do this many times the work of the task's baseline on the same input."""

FLOOR_THREAD_INSTRUCTIONS = 100_000_000
FLOOR_STEPS = 400_000
"""What every kernel may do however little its baseline does: seconds of a simulator, at 3 to 10 us a step."""

_SERIAL = 4
"""A kernel that does with one thread what the baseline does with many takes as many steps as that has
thread-instructions; this many times as many are allowed."""

_PATIENCE = 20
_SPARE_S = 60.0


@dataclass(frozen=True)
class Work:
    """What a run on a simulator has executed.

    Attributes:
        thread_instructions: Instructions, summed over the threads that execute them.
        steps: Instructions in a row: one that many threads execute together counts once.
    """

    thread_instructions: int
    steps: int

    def largest(self, other: Work) -> Work:
        """The larger of each number."""
        return Work(
            max(self.thread_instructions, other.thread_instructions),
            max(self.steps, other.steps),
        )


def allowed(baseline: Work) -> Work:
    """The work that a kernel may do on an input, by what the task's baseline did on it."""
    return Work(
        max(FLOOR_THREAD_INSTRUCTIONS, FACTOR * baseline.thread_instructions),
        max(FLOOR_STEPS, FACTOR * baseline.steps, _SERIAL * baseline.thread_instructions),
    )


@dataclass(frozen=True)
class Budget:
    """Limits of one call.

    Attributes:
        seconds: Of processor time of the worker; of wall time where a kernel runs on a GPU, in real time.
        work: What a simulator executes at most; None for any amount.
        baseline: What the task's baseline did on the input, for messages; None where that is not known.
        backstop_s: Seconds of wall time after which a worker counts as lost; None for many times `seconds`.
    """

    seconds: float
    work: Work | None = None
    baseline: Work | None = None
    backstop_s: float | None = None

    @property
    def wall_s(self) -> float:
        """Seconds of wall time after which nobody waits for the worker any longer."""
        return self.backstop_s if self.backstop_s is not None else _SPARE_S + _PATIENCE * self.seconds
