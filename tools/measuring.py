"""The benchmark stage on a device that measures: beside the baseline, pair by pair, results of timed runs judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sandbox.device import Array, LaunchProfile, ProfileResult
from sandbox.plan import Plan
from sandbox.timing.measured import PairedTimes, PairTimer, TimedPlan
from sandbox.timing.plausibility import implausible, remembers
from sandbox.timing.schedule import LOOKS, TimingRules
from sandbox.timing.statistics import Ratio, paired_ratio, summary
from sandbox.verdict import Provenance, Verdict
from tools.compiling import Build, CompileStage
from tools.expressions import evaluate
from tools.judge.comparison import compare
from tools.judge.explanation import explain, shorten
from tools.judge.questions import Oracle, Question
from tools.judge.testing import fresh_seed
from tools.profiling import Profiled, Shape, not_compiled, report_of, sizes
from tools.reports import ProfileReport, Timing
from tools.task import Case, Task
