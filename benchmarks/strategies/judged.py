"""The composer's kernels for the tasks, each judged once: a table that searches can be replayed over."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from agent.composer.space import Space
from agent.niches import Niche, niche_of
from sandbox.verdict import Provenance, Verdict
from tools.awaiting import together
from tools.kernel.file import parse, sweep
from tools.reports import CheckReport, ProfileReport
from tools.tasks.task import Task
from tools.toolbox import ProfileOrder, Toolbox

TABLE = Path(__file__).with_name("judged.jsonl.xz")
"""The kernels judged so far; a kernel that the composer writes differently now is judged anew."""
_NICHE = TypeAdapter(Niche)


@dataclass(frozen=True)
class JudgedKernel:
    """A kernel of the composer at its best setting.

    Attributes:
        sha: sha256 of its file.
        us: Estimated microseconds; None where the device did not time it.
    """

    task: str
    sha: str
    features: tuple[str, ...]
    us: float | None
    niche: Niche | None


_LINE = TypeAdapter(JudgedKernel)


def read(path: Path) -> dict[tuple[str, str], JudgedKernel]:
    """Return what is known, by task and kernel."""
    if not path.exists():
        return {}
    with lzma.open(path, "rt") as lines:
        return {(one.task, one.sha): one for one in map(_LINE.validate_json, lines)}


async def complete(task: Task, toolbox: Toolbox, path: Path, say: Callable[[str], None]) -> None:
    """Judge those kernels for a task that the table lacks, and add them one by one."""
    known, space = read(path), Space(task)
    missing = [(sha, features) for sha, features in space.by_sha.items() if (task.name, sha) not in known]
    for number, (sha, features) in enumerate(missing, start=1):
        found = await _judge(task, toolbox, sha, features, space.text(features))
        with lzma.open(path, "at") as file:
            file.write(json.dumps(_LINE.dump_python(found, mode="json")) + "\n")
        if number % 20 == 0 or number == len(missing):
            say(f"{task.name}: {number} of {len(missing)} judged")


async def _judge(
    task: Task, toolbox: Toolbox, sha: str, features: tuple[str, ...], text: str
) -> JudgedKernel:
    reports = await together(toolbox.do(ProfileOrder(task, text, tune=tune)) for tune in _settings(text))
    timed = (report for report in reports if report.latency_us is not None)
    best = min(timed, key=lambda report: report.latency_us or 0.0, default=None)
    return JudgedKernel(
        task.name,
        sha,
        features,
        None if best is None else best.latency_us,
        None if best is None else _niche(best),
    )


def _settings(text: str) -> Iterator[dict[str, int]]:
    """Yield every setting of a kernel's tunables."""
    yield from (dict(setting) for setting in sweep(parse(text)))


def _niche(profile: ProfileReport) -> Niche | None:
    return niche_of(CheckReport(Verdict.PASS, "", "", Provenance.ESTIMATED, "", profile=profile))
