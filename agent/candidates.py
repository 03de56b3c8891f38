"""A candidate of a search: planned, then submitted as a kernel file, then tried by the tools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from agent.niches import Niche, niche_of
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport

GIVEN = "start"
"""Where kernels come from that a search was given to begin with (`CandidatePlan.origin`)."""


@dataclass(frozen=True)
class CandidatePlan:
    """What one candidate tries.

    Attributes:
        parent: sha256 of the kernel text to start from; None for a fresh start.
        features: One to three names, of the feature library (`prompts.features()`) or the planner's own.
        why: One or two sentences.
        other: A second kernel, whose features are to be merged with the parent's.
        origin: What the strategy drew it from (`Slot.origin`); empty where the proposer chose by itself.
        without: Features of the parents that are to be taken out.
    """

    parent: str | None = None
    features: tuple[str, ...] = ()
    why: str = ""
    other: str | None = None
    origin: str = ""
    without: tuple[str, ...] = ()

    @property
    def parents(self) -> tuple[str, ...]:
        """The kernels it starts from: none, one, or two that are merged."""
        return tuple(sha for sha in (self.parent, self.other) if sha is not None)


@dataclass(frozen=True)
class Belief:
    """What a feature is thought to gain: mean and standard deviation of the logarithm of the ratio of latencies."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Slot:
    """One candidate's place in the next round, as a strategy offers it.

    Attributes:
        parents: sha256 of the kernels to build on: none for a fresh start, two to be merged.
        features: Worth trying, in this order; empty leaves them to the proposer.
        why: One sentence.
        origin: What it was drawn from: a cell, a node, a repair, a merge.
        keep: The features are the intent of an attempt that failed: it is tried again as it was.
        without: Features of the parents to take out, to learn what they are worth.
    """

    parents: tuple[str, ...]
    features: tuple[str, ...] = ()
    why: str = ""
    origin: str = ""
    keep: bool = False
    without: tuple[str, ...] = ()


def changes(features: Iterable[str], without: Sequence[str]) -> tuple[str, ...]:
    """Return what is to be done to a kernel's features, in words: each to try, then those to leave out."""
    return (*features, *((f"without {' and '.join(without)}",) if without else ()))


class Candidate(BaseModel):
    """One candidate of a search."""

    model_config = ConfigDict(frozen=True)
    round: int
    candidate: int
    features: list[str]
    verdict: Verdict
    message: str
    latency_us: float | None = None
    provenance: Provenance
    speedup: float | None = None
    sha: str | None = Field(
        default=None, description="Of its kernel: warpwright://kernels/SHA holds the text."
    )
    origin: str = Field(
        default="",
        description="What the strategy drew it from: a node, a cell, a repair, a merge, a kernel less a feature.",
    )

    without: list[str] = Field(
        default_factory=list[str],
        description="Features of the kernels it was built on that it was to leave out.",
    )

    @property
    def tried(self) -> str:
        """What it was to try, for people: features in and out, or where it came from."""
        return ", ".join(changes(self.features, self.without)) or self.origin

    @property
    def place(self) -> tuple[int, int]:
        """Its round and its number in the round, both from 1; the task's own baseline is (0, 0)."""
        return self.round, self.candidate


class Trial(Candidate):
    """A judged candidate as a run remembers it; what is not printed with it is left out of its JSON.

    Attributes:
        tune: The tunable values judged.
        report: What the tools said; None where there was no kernel to judge.
        lost: The failure is not the kernel's: the model's endpoint or the tools gave no answer.
        duplicate_of: `ROUND/CANDIDATE` of the trial that this one repeats.
        niche: What kind of kernel it is; None where it was not timed.
        used: Features of the kernel, its parents' among them, as far as anyone knows.
    """

    tune: dict[str, int] = Field(default_factory=dict[str, int])
    report: CheckReport | None = Field(default=None, exclude=True, repr=False)
    lost: bool = Field(default=False, exclude=True)
    duplicate_of: str | None = Field(default=None, exclude=True)
    niche: Niche | None = Field(default=None, exclude=True)
    used: tuple[str, ...] = Field(default=(), exclude=True)


@dataclass(frozen=True)
class Submission:
    """A candidate handed in to be judged; `sha` is None where its writer gave no kernel file.

    Attributes:
        used: Features of the kernel, those of its parents among them, as far as anyone knows.
    """

    round: int
    candidate: int
    plan: CandidatePlan
    sha: str | None
    used: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[int, int]:
        """Its round and its number in the round."""
        return self.round, self.candidate

    def judged(
        self,
        verdict: Verdict,
        message: str,
        *,
        provenance: Provenance = Provenance.ESTIMATED,
        lost: bool = False,
    ) -> Trial:
        """Return what became of it where it was not timed."""
        return Trial(
            round=self.round,
            candidate=self.candidate,
            features=list(self.plan.features),
            origin=self.plan.origin,
            without=list(self.plan.without),
            used=self.used,
            sha=self.sha,
            verdict=verdict,
            message=message,
            provenance=provenance,
            lost=lost,
        )

    def checked(self, report: CheckReport, baseline_us: float | None) -> Trial:
        """Return what the tools' report makes of it.

        Args:
            report: Of the check.
            baseline_us: The baseline's latency, for a speedup where the report has none; microseconds.
        """
        profile = report.profile
        latency = None if profile is None or report.verdict is not Verdict.PASS else profile.latency_us
        speedup = None if profile is None or latency is None else profile.speedup
        if speedup is None and latency and baseline_us:
            speedup = baseline_us / latency
        return Trial(
            round=self.round,
            candidate=self.candidate,
            features=list(self.plan.features),
            origin=self.plan.origin,
            without=list(self.plan.without),
            used=self.used,
            sha=self.sha,
            verdict=report.verdict,
            message=report.message,
            latency_us=latency,
            provenance=report.provenance if profile is None else profile.provenance,
            speedup=speedup,
            tune=report.tune,
            report=report,
            niche=None if latency is None else niche_of(report),
        )

    def repeating(self, original: Trial) -> Trial:
        """Return what becomes of it as the same kernel as another candidate: the same, without a judgement."""
        name = (
            "the baseline"
            if original.round == 0
            else f"round {original.round} candidate {original.candidate}"
        )
        said = "" if original.verdict is Verdict.PASS else f": {original.message}"
        return Trial(
            round=self.round,
            candidate=self.candidate,
            features=list(self.plan.features),
            origin=self.plan.origin,
            without=list(self.plan.without),
            used=self.used,
            sha=self.sha,
            verdict=original.verdict,
            message=f"the same kernel as {name}, not judged again{said}",
            latency_us=original.latency_us,
            provenance=original.provenance,
            speedup=original.speedup,
            tune=original.tune,
            report=original.report,
            niche=original.niche,
            duplicate_of=f"{original.round}/{original.candidate}",
        )


@dataclass(frozen=True)
class Parent:
    """A kernel to build on. `trial` is None for the task's own baseline, whose report the contexts carry."""

    sha: str
    kernel: str
    trial: Trial | None = None


@dataclass(frozen=True)
class Line:
    """A judged candidate in a line: what a strategy looks at, read without its report.

    Attributes:
        parents: sha256 of the kernels it started from.
        features: What it was to try.
        used: Features of the kernel, its parents' among them, as far as anyone knows.
        without: Features of its parents that it was to leave out.
        duplicate: It is the same kernel as an earlier candidate.
        lost: Its failure is not the kernel's.
    """

    round: int
    candidate: int
    sha: str | None
    parents: tuple[str, ...]
    features: tuple[str, ...]
    used: tuple[str, ...]
    verdict: Verdict
    latency_us: float | None = None
    duplicate: bool = False
    lost: bool = False
    origin: str = ""
    niche: Niche | None = None
    without: tuple[str, ...] = ()

    @property
    def place(self) -> tuple[int, int]:
        """Its round and its number in the round; (0, 0) for the task's own baseline."""
        return self.round, self.candidate

    @property
    def name(self) -> str:
        """Its place as people write it, as in `2/3`."""
        return "the baseline" if self.round == 0 else f"{self.round}/{self.candidate}"

    @property
    def correct(self) -> bool:
        """Whether it passed and was timed."""
        return self.verdict is Verdict.PASS and self.latency_us is not None
