import math
from dataclasses import replace
from typing import Any

import pytest

import prompts
from agent.candidates import CandidatePlan, Parent, Slot, Trial
from agent.composer import Composer
from agent.composer.planning import measured
from agent.proposer import CritiqueContext, PlanContext, WriteContext
from agent.store.files import kernel_sha
from sandbox.device import LaunchProfile
from sandbox.errors import UsageError
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport, ProfileReport, ShapeTiming
from tools.tasks.task import Task

DEVICE = "sim:h200"
GAINS = {
    "vectorized_loads": 0.5,
    "warp_shuffle_reduction": 0.4,
    "register_blocking": 0.8,
    "loop_unrolling": 1.2,
}
"""An invented machine: what each feature multiplies the latency by; others do nothing."""


@pytest.fixture
def task(bench: Any) -> Task:
    reference = (
        "import numpy as np\n\ndef reference(x, rows, cols):\n"
        "    e = np.exp(x - x.max(axis=-1, keepdims=True))\n"
        "    return {'y': e / e.sum(axis=-1, keepdims=True)}\n"
    )
    return bench.task(reference, ("in x float32 rows, cols", "out y float32 rows, cols"), "rows cols")


def report(task: Task, latency_us: float | None = None, bottleneck: str = "dram") -> CheckReport:
    launch = LaunchProfile("row_program", 1, latency_us or 1.0, Provenance.ESTIMATED, bottleneck, 0.25, 1, 1)
    shape = ShapeTiming({"rows": 1, "cols": 1}, latency_us or 1.0, Provenance.ESTIMATED, 100.0, (launch,))
    profile = ProfileReport(Verdict.PASS, "", latency_us, shapes=(shape,), bottleneck=bottleneck)
    return CheckReport(Verdict.PASS, task.name, DEVICE, Provenance.ESTIMATED, "", profile=profile)


def latency(features: tuple[str, ...]) -> float:
    return 100.0 * math.prod(GAINS.get(name, 1.0) for name in features)


class Run:
    """A search on the invented machine."""

    def __init__(self, task: Task, failing: str = "") -> None:
        self.task = task
        self.composer = Composer()
        self.failing = failing
        self.history: list[tuple[Trial, str]] = []

    def parents(self) -> tuple[Parent, ...]:
        correct = [item for item in self.history if item[0].verdict is Verdict.PASS]
        correct.sort(key=lambda item: item[0].latency_us or 0)
        return tuple(Parent(kernel_sha(kernel), kernel, trial) for trial, kernel in correct[:3])

    def context(self, number: int, seed: int = 1) -> PlanContext:
        trials = tuple(trial for trial, _ in self.history)
        baseline = Parent(kernel_sha("base"), "base")
        parents = self.parents() or (baseline,)
        building_on = [*parents, parents[0], parents[0]][:3]
        slots = (*(Slot((parent.sha,)) for parent in building_on), Slot(()))
        return PlanContext(
            self.task, DEVICE, number, 4, report(self.task, 100.0), trials, parents, None, seed, slots
        )

    async def round(self, number: int) -> list[CandidatePlan]:
        context = self.context(number)
        plans = await self.composer.plan(context)
        written: list[tuple[Trial, str]] = []
        for position, plan in enumerate(plans, start=1):
            parent = next((parent for parent in context.parents if parent.sha == plan.parent), None)
            handed_in = await self.composer.write(write_context(context, plan, parent, position))
            kernel, used = handed_in.kernel, handed_in.features
            assert kernel is not None
            failed = self.failing in used
            verdict = Verdict.UNSUPPORTED if failed else Verdict.PASS
            taken = None if failed else latency(used)
            trial = Trial(
                round=number, candidate=position, features=list(plan.features), verdict=verdict, message="no",
                sha=kernel_sha(kernel), latency_us=taken, provenance=Provenance.ESTIMATED,
                report=report(self.task, taken), used=used,
            )  # fmt: skip
            written.append((trial, kernel))
        self.history += written
        return plans


def write_context(
    context: PlanContext, plan: CandidatePlan, parent: Parent | None, position: int
) -> WriteContext:
    return WriteContext(
        context.task,
        DEVICE,
        context.round,
        position,
        plan,
        parent,
        "",
        context.baseline,
        context.history,
        None,
        1,
    )


async def test_a_plan_has_one_to_three_features_and_names_an_offered_parent(task: Task) -> None:
    run = Run(task)
    for number in range(1, 5):
        offered = {parent.sha for parent in run.context(number).parents} | {None}
        plans = await run.round(number)
        assert len(plans) == 4
        assert all(1 <= len(plan.features) <= 3 and plan.parent in offered and plan.why for plan in plans)


async def test_no_kernel_is_written_twice_in_a_run(task: Task) -> None:
    run = Run(task)
    for number in range(1, 6):
        await run.round(number)
    shas = [trial.sha for trial, _ in run.history]
    assert len(set(shas)) == len(shas)


async def test_what_was_measured_leads_to_the_features_that_gain(task: Task) -> None:
    run = Run(task)
    for number in range(1, 6):
        await run.round(number)
    best = run.parents()[0]
    assert {"vectorized_loads", "warp_shuffle_reduction"} <= set(
        run.composer.space(task).features_in(best) or ()
    )


async def test_the_same_context_gives_the_same_answers_from_a_fresh_composer(task: Task) -> None:
    run = Run(task)
    await run.round(1)
    context = run.context(2)
    assert await run.composer.plan(context) == await Composer().plan(context)


async def test_a_plan_says_what_it_takes_out_as_well_as_what_it_adds(task: Task) -> None:
    space, out = Composer().space(task), ("vectorized_loads",)
    used = space.settle(("warp_shuffle_reduction", *out))
    kernel = space.text(used)
    known = trial(Verdict.PASS).model_copy(update={"sha": kernel_sha(kernel), "used": used})
    slots = (Slot((known.sha,), without=out), Slot((known.sha,), ("loop_unrolling",), without=out))
    context = replace(
        Run(task).context(1), parents=(Parent(known.sha, kernel, known),), history=(known,), slots=slots
    )
    alone, swap = await Composer().plan(context)
    assert alone.why == "Takes out of a kernel: vectorized_loads, to learn what that is worth."
    assert swap.why.startswith(
        "Adds to a kernel: loop_unrolling, and takes out vectorized_loads; by what is known"
    )


async def test_seeds_lead_to_different_first_rounds(task: Task) -> None:
    run = Run(task)
    first = {
        tuple(plan.features for plan in await Composer().plan(run.context(1, seed))) for seed in range(8)
    }
    assert len(first) > 1


async def test_features_that_fail_are_left_alone(task: Task) -> None:
    run = Run(task, failing="two_pass_reduction")
    for number in range(1, 6):
        await run.round(number)
    late = [trial for trial, _ in run.history if trial.round >= 4]
    assert sum(trial.verdict is Verdict.PASS for trial in late) >= 6


async def test_hints_of_the_critic_are_heard(task: Task) -> None:
    run = Run(task)
    best = Parent("a" * 64, "a kernel of another hand\n", trial(Verdict.PASS))
    critique = await run.composer.criticise(
        CritiqueContext(
            task, DEVICE, 1, report(task, 100.0), (), (), replace(best, trial=judged(task, "dram")), 1
        )
    )
    assert "dram" in critique.text
    assert "vectorized_loads" in critique.features
    assert "estimated" in critique.text


def trial(verdict: Verdict, message: str = "", report: CheckReport | None = None) -> Trial:
    return Trial(
        round=1, candidate=1, features=["loop_unrolling"], verdict=verdict, message=message, sha="a" * 64,
        latency_us=10.0 if verdict is Verdict.PASS else None, provenance=Provenance.ESTIMATED, report=report,
    )  # fmt: skip


def judged(task: Task, bottleneck: str) -> Trial:
    return trial(Verdict.PASS, report=report(task, 10.0, bottleneck))


async def test_where_everything_fails_the_critic_names_the_most_common_cause(task: Task) -> None:
    trials = (
        trial(Verdict.RACE, "a race on line 3"),
        trial(Verdict.RACE, "a race on line 3"),
    )
    context = CritiqueContext(task, DEVICE, 1, report(task, 100.0), trials, trials, None, 1)
    critique = await Composer().criticise(context)
    assert "2 of 2" in critique.text
    assert "a race on line 3" in critique.text
    assert "loop_unrolling" not in critique.features


async def test_writing_survives_unknown_features_and_a_parent_of_another_hand(task: Task) -> None:
    context = Run(task).context(1)
    plan = CandidatePlan("b" * 64, ("online_softmax", "vectorized_loads"))
    composer = Composer()
    written = await composer.write(
        write_context(context, plan, Parent("b" * 64, "__global__ void k() {}"), 1)
    )
    assert written.features == ("vectorized_loads",)
    assert written.kernel == composer.space(task).text(("vectorized_loads",))
    assert "with vectorized_loads" in written.said


@pytest.mark.parametrize(
    ("reference", "arguments", "dims", "family"),
    [
        ("{'y': np.cumsum(x)}", ("in x float32 n", "out y float32 n"), "n", "program of nests"),
        ("{'y': x.T}", ("in x float32 n, n", "out y float32 n, n"), "n", "transpose"),
        ("{'y': x @ x}", ("in x float32 n, n", "out y float32 n, n"), "n", "matrix product"),
        ("{'y': x.max(axis=1)}", ("in x float32 n, n", "out y float32 n"), "n", "row program"),
    ],
)
async def test_writing_says_what_kind_of_kernel_it_is(
    bench: Any, reference: str, arguments: tuple[str, ...], dims: str, family: str
) -> None:
    text = f"import numpy as np\n\ndef reference(x, {dims}):\n    return {reference}\n"
    task = bench.task(text, arguments, dims)

    handed_in = await Composer().write(write_context(Run(task).context(1), CandidatePlan(), None, 1))

    assert handed_in.kernel is not None
    assert handed_in.said == f"{family.capitalize()} with no feature."


async def test_a_parent_keeps_its_features_when_more_are_added(task: Task) -> None:
    composer, context = Composer(), Run(task).context(1)
    kernel = composer.space(task).text(("warp_shuffle_reduction",))
    plan = CandidatePlan(kernel_sha(kernel), ("vectorized_loads",))
    written = await composer.write(write_context(context, plan, Parent(kernel_sha(kernel), kernel), 1))
    assert written.features == ("warp_shuffle_reduction", "vectorized_loads")


async def test_an_exhausted_space_gives_fewer_plans(bench: Any) -> None:
    task = bench.task(
        "def reference(x, n):\n    return {'y': -x}\n", ("in x float32 n", "out y float32 n"), "n"
    )
    run = Run(task)
    for number in range(1, 12):
        last = await run.round(number)
    assert last == []


async def test_an_unknown_family_ends_the_run_with_the_way_out(bench: Any) -> None:
    reference = "import numpy as np\n\ndef reference(x, n):\n    return {'y': np.sort(x[x > 0])}\n"
    task = bench.task(reference, ("in x float32 n", "out y float32 n"), "n")
    with pytest.raises(UsageError, match=r"line 4: .*selecting by a mask.*configure a model with --model"):
        await Composer().plan(Run(task).context(1))


async def test_what_only_pytorch_says_ends_the_run_with_the_ways_out(bench: Any) -> None:
    reference = "from torch_operators import aten\n\ndef reference(x, n):\n    return {'y': aten('sinc.default', x)}\n"
    task = bench.task(reference, ("in x float32 n", "out y float32 n"), "n")
    with pytest.raises(
        UsageError,
        match=r"line 4: PyTorch's own operator `sinc.default`; .*`warpwright check`, or configure a model with --model$",
    ):
        await Composer().plan(Run(task).context(1))


def test_only_kernels_of_the_composer_count_as_measured(task: Task) -> None:
    assert measured([trial(Verdict.PASS)], Composer().space(task), 100.0) == {}


@pytest.fixture
def product(bench: Any) -> Task:
    return bench.task(
        "def reference(a, b, m, n, k):\n    return {'c': a @ b}\n",
        ("in a float16 m, k", "in b float16 k, n", "out c float16 m, n"),
        "m n k",
    )


async def test_features_that_the_library_of_a_device_lacks_are_not_planned(product: Task) -> None:
    old = tuple(page for page in prompts.features() if page.runs_on("sm_75"))
    context = replace(Run(product).context(1), library=old)
    planned = [
        plan.features for number in range(3) for plan in await Composer().plan(replace(context, seed=number))
    ]
    beyond = {"async_copy_pipeline", "mma_half"}
    assert beyond <= set(Composer().space(product).features)
    assert planned
    assert not beyond & {name for features in planned for name in features}


def test_a_kernel_is_known_by_what_it_is_said_to_use_where_it_is_the_same_when_written_again(
    product: Task,
) -> None:
    space = Composer().space(product)
    features = space.settle(("mma_half", "sliced_k"))
    sha = kernel_sha(space.text(features))
    fresh = Composer().space(product)
    assert fresh.features_of(sha, ("vectorized_loads",)) is None
    assert fresh.features_of(sha, ("sliced_k", "mma_half", "of_another_hand")) == features
    assert fresh.features_of(None, ()) is None


def test_every_feature_of_the_composer_is_a_page_of_the_library(task: Task, product: Task) -> None:
    library = {feature.name for feature in prompts.features()}
    assert set(Composer().space(task).features) <= library
    assert set(Composer().space(product).features) <= library
