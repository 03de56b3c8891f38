"""What create_task is given, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from sandbox.verdict import Provenance, Verdict
from tools.mcp.answers import PROVENANCE, JudgeAnswer
from tools.tasks.drafting import NAME, Draft, DraftArgument, Kept
from tools.tasks.generators import GENERATOR_NAMES
from tools.tasks.task import DTYPE_BYTES, Case, Target

_TEXT = 128 * 1024
_Expression = Annotated[str, Field(min_length=1, max_length=500)]
_Dims = Annotated[dict[str, int], Field(max_length=16)]


class NewArgument(BaseModel):
    """One argument of a new task."""

    name: str = Field(max_length=64, description="Lower case; launches of a kernel file name it.")
    role: Literal["in", "out", "inout", "scalar"] = Field(
        description="in, out and inout are buffers, passed as pointers."
    )
    dtype: str = Field(max_length=16, description=f"One of {', '.join(DTYPE_BYTES)}.")
    shape: list[_Expression] = Field(
        default_factory=list[str],
        max_length=8,
        description='One expression in the dims a dimension, as ["rows", "cols"]; empty for a scalar.',
    )
    data: _Expression | None = Field(
        default=None,
        description="What fills it in tests, as `normal(0, 1)`; none for out. "
        f"One of {', '.join(GENERATOR_NAMES)}.",
    )


class NewCase(BaseModel):
    """Sizes of one case, and data that replace the arguments' own in it."""

    dims: _Dims
    data: dict[str, _Expression] = Field(default_factory=dict[str, str], max_length=32)


class NewTarget(BaseModel):
    """When a search may stop early."""

    latency_us: float | None = Field(default=None, gt=0)
    speedup: float | None = Field(default=None, gt=0)
    roofline: float | None = Field(default=None, gt=0, le=1)


class NewTask(BaseModel):
    """Everything that a task says."""

    name: str = Field(pattern=f"^{NAME}$", description="Lower-case letters, digits and `_`.")
    summary: str = Field(min_length=1, max_length=500, description="One sentence: what is computed.")
    dims: list[Annotated[str, Field(max_length=32)]] = Field(
        min_length=1, max_length=16, description='Names of the sizes, as ["rows", "cols"].'
    )
    arguments: list[NewArgument] = Field(min_length=1, max_length=32, description="In the order of calls.")
    tests: list[NewCase] = Field(
        min_length=1,
        max_length=64,
        description="Small and awkward: one, primes, one more than a multiple of a block.",
    )
    benches: list[NewCase] = Field(
        min_length=1, max_length=8, description="The sizes that latency is about; seldom more than one."
    )
    flops: _Expression = Field(description="Least floating point operations, an expression in the dims.")
    bytes: _Expression = Field(description="Least bytes moved, an expression in the dims.")
    reference: str = Field(
        min_length=1,
        max_length=_TEXT,
        description="reference.py: `def reference(inputs and dims by name)` that returns a dict from each "
        "output's name to its values, in NumPy. It gets float64; it says what is right.",
    )
    baseline: str = Field(
        min_length=1, max_length=_TEXT, description="baseline.cu: a plain correct kernel file, see get_task."
    )
    deterministic: bool = Field(default=True, description="Whether two runs must agree bit for bit.")
    target: NewTarget = Field(default_factory=NewTarget)

    def draft(self) -> Draft:
        """Return it as the tools take it."""
        return Draft(
            name=self.name,
            summary=self.summary,
            dims=tuple(self.dims),
            arguments=tuple(
                DraftArgument(one.name, one.role, one.dtype, tuple(one.shape), one.data)
                for one in self.arguments
            ),
            tests=tuple(Case(one.dims, one.data) for one in self.tests),
            benches=tuple(Case(one.dims, one.data) for one in self.benches),
            flops=self.flops,
            bytes=self.bytes,
            reference=self.reference,
            baseline=self.baseline,
            deterministic=self.deterministic,
            target=Target(self.target.latency_us, self.target.speedup, self.target.roofline),
        )


class CreatedTask(JudgeAnswer):
    """A task that was kept: its baseline passed every test, and nothing trivial does."""

    created: bool = Field(default=False, description="false where the very same task was there before.")
    sha: str = ""
    baseline_us: float | None = Field(default=None, description="Latency of its baseline.")
    provenance: Provenance = Field(default=Provenance.ESTIMATED, description=PROVENANCE)


def describe_kept(kept: Kept, device: str) -> CreatedTask:
    """Return what create_task answers."""
    name, profile = kept.task.name, kept.profile
    return CreatedTask(
        verdict=Verdict.PASS,
        message=f"{name} was there already." if profile is None else f"{name} is kept; its baseline passes.",
        task=name,
        device=device,
        created=profile is not None,
        sha=kept.task.sha,
        baseline_us=None if profile is None else profile.latency_us,
        provenance=Provenance.ESTIMATED if profile is None else profile.provenance,
        next_step=f"start_search(task='{name}'), or write a kernel yourself: get_task(task='{name}').",
    )
