"""What features have earned is read from the candidates of all runs."""

from __future__ import annotations

import pytest

from agent.candidates import CandidatePlan, Submission
from agent.home import Home
from agent.report.credit import credit
from agent.results import SearchRequest
from agent.store import NewRun, Store
from agent.store.replies import Reply, ReplyKey
from sandbox.verdict import Provenance, Verdict
from tools.reports import CheckReport, CompileReport

ESTIMATED = Provenance.ESTIMATED


@pytest.fixture
def store(home: Home) -> Store:
    return Store(home)


def run(
    store: Store, tmp_path, *, kind: str = "reduction", tenant: str = "", architecture: str = "sm_90"
) -> str:
    request = SearchRequest(task="twice", tenant=tenant)
    name = store.create(NewRun(request, "twice", tmp_path, "0", "sim:fake", "none", "m", 1, "tree", kind))
    compiled = CompileReport(Verdict.PASS, "", architecture=architecture)
    store.runs.keep_baseline(
        name, CheckReport(Verdict.PASS, "twice", "sim:fake", Provenance.ESTIMATED, "", compile=compiled)
    )
    judge(store, name, (0, 0), None, (), 100.0)
    return name


def judge(
    store: Store,
    name: str,
    place: tuple[int, int],
    parent: str | None,
    features: tuple[str, ...],
    us: float | None,
    *,
    provenance: Provenance = Provenance.ESTIMATED,
    **more: object,
) -> None:
    plan = CandidatePlan(
        *(parent, features, "because", more.pop("other", None), more.pop("origin", "")),
        without=more.pop("without", ()),
    )
    submission = Submission(*place, plan, f"sha{place}", features)
    store.candidates.add(name, submission)
    verdict = more.pop("verdict", Verdict.PASS if us else Verdict.RACE)
    trial = submission.judged(verdict, "", provenance=provenance)
    store.candidates.judge(name, trial.model_copy(update={"latency_us": us, **more}))


def by_name(store: Store, **more):
    return {one.feature: one for one in store.credits.earned(**more)}


def test_a_gain_is_over_the_parent_and_shared_among_the_features_tried(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), "sha(0, 0)", ("tiles",), 50.0)
    judge(store, name, (2, 1), "sha(1, 1)", ("vectors", "unrolling"), 12.5)
    earned = by_name(store)
    assert earned["tiles"].gain == pytest.approx(2.0)
    assert earned["vectors"].gain == earned["unrolling"].gain == pytest.approx(2.0)
    assert (earned["tiles"].kind, earned["tiles"].architecture) == ("reduction", "sm_90")


def test_a_merge_is_held_against_the_faster_parent_and_a_fresh_start_against_the_baseline(
    store: Store, tmp_path
):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles",), 50.0)
    judge(store, name, (1, 2), None, ("vectors",), 20.0)
    judge(store, name, (2, 1), "sha(1, 1)", ("merging",), 10.0, other="sha(1, 2)")
    earned = by_name(store)
    assert earned["merging"].gain == pytest.approx(2.0)
    assert earned["vectors"].gain == pytest.approx(5.0)


def test_a_swap_is_shared_with_what_was_left_out_which_earns_what_the_kernel_lost(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), "sha(0, 0)", ("tiles",), 50.0)
    judge(store, name, (2, 1), "sha(1, 1)", ("vectors",), 12.5, without=("tiles",))
    judge(store, name, (3, 1), "sha(2, 1)", (), 25.0, without=("vectors",))
    judge(store, name, (3, 2), "sha(2, 1)", (), None, without=("vectors",))
    earned = by_name(store)
    assert earned["vectors"].gain == pytest.approx(
        2.0
    )  # sqrt(2 * 2): half of a gain of 4, and what was lost again
    assert (earned["vectors"].tries, earned["vectors"].improved) == (2, 2)
    assert earned["tiles"].gain == pytest.approx(1.0)  # sqrt(2 / 2)
    assert store.candidates.submission(name, (2, 1)).plan.without == ("tiles",)
    (_, swapped, *_) = store.candidates.lines(name, through=3)
    assert swapped.without == ("tiles",)
    assert [one.feature for one in credit(store.candidates.lines(name, first=0, through=3), ESTIMATED)] == [
        "vectors",
        "tiles",
    ]
    for told in credit(store.candidates.lines(name, first=0, through=3), ESTIMATED):
        assert told.gain.value == pytest.approx(earned[told.feature].gain)


def test_failures_are_tries_and_what_no_machine_judged_is_not(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles",), None)
    judge(store, name, (1, 2), None, ("tiles",), 200.0)
    judge(store, name, (1, 3), None, ("tiles",), None, verdict=Verdict.UNDECIDED)
    judge(store, name, (1, 4), None, ("tiles",), None, lost=True)
    judge(store, name, (1, 5), None, ("tiles",), 50.0, duplicate_of="1/2")
    tiles = by_name(store)["tiles"]
    assert (tiles.tries, tiles.correct, tiles.improved) == (2, 1, 0)
    assert tiles.gain == pytest.approx(0.5)


def test_measured_and_estimated_gains_stay_apart(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles",), 50.0)
    judge(store, name, (1, 2), None, ("tiles",), 10.0, provenance=Provenance.MEASURED)
    assert [(one.provenance, one.tries) for one in store.credits.earned()] == [
        (Provenance.ESTIMATED, 1),
        (Provenance.MEASURED, 1),
    ]


def test_a_kernel_that_is_demoted_takes_its_credit_along(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles",), 50.0)
    judge(store, name, (1, 1), None, ("tiles",), None)
    assert by_name(store)["tiles"].gain is None


def test_a_tenant_learns_from_its_own_runs_alone(store: Store, tmp_path):
    for tenant, us in (("ada", 50.0), ("bob", 10.0)):
        judge(store, run(store, tmp_path, tenant=tenant), (1, 1), None, ("tiles",), us)
    assert by_name(store, tenant="ada")["tiles"].gain == pytest.approx(2.0)
    assert by_name(store.seen_by("bob"))["tiles"].gain == pytest.approx(10.0)
    assert by_name(store)["tiles"].tries == 2


def test_a_run_begins_with_what_others_earned_and_keeps_to_it(store: Store, tmp_path):
    first, second = run(store, tmp_path), run(store, tmp_path, kind="transpose")
    judge(store, first, (1, 1), None, ("tiles",), 50.0)
    began = store.credits.of_run(second, "")
    judge(store, first, (1, 2), None, ("vectors",), 50.0)
    judge(store, second, (1, 1), None, ("unrolling",), 50.0)
    assert store.credits.of_run(second, "") == began
    assert [one.feature for one in began] == ["tiles"]


def test_models_are_counted_by_run_and_candidate(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles", "vectors"), 50.0)
    judge(store, name, (1, 2), None, ("tiles",), None)
    (tally,) = store.credits.models()
    assert (tally.name, tally.runs, tally.tries, tally.correct, tally.improved) == ("m", 1, 2, 1, 1)
    assert tally.gain == pytest.approx(2.0)
    assert store.credits.prompts() == [], "nobody was asked in words"


def test_a_kernel_that_a_search_was_given_is_no_models(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, (), 20.0, origin="start")
    assert store.credits.models() == []
    judge(store, name, (1, 2), None, ("tiles",), 50.0)
    assert [(one.name, one.tries) for one in store.credits.models()] == [("m", 1)]


def test_coders_and_prompts_earn_what_their_kernels_gained(store: Store, tmp_path):
    name = run(store, tmp_path)
    latencies = {("fast", "derive_first"): 25.0, ("slow", "plain"): 100.0, ("slow", ""): None}
    for number, ((model, variant), us) in enumerate(latencies.items(), start=1):
        judge(store, name, (1, number), None, ("tiles",), us)
        key = ReplyKey(1, number, "coder", f"{number}")
        store.replies(name).keep(key, Reply("...", model=model, variant=variant))
    models = {one.name: (one.tries, one.correct, one.improved) for one in store.credits.models()}
    assert models == {"fast": (1, 1, 1), "slow": (2, 1, 0)}
    prompts = {one.name: (one.tries, one.correct, one.gain) for one in store.credits.prompts()}
    assert prompts == {"derive_first": (1, 1, pytest.approx(4.0)), "plain": (2, 1, pytest.approx(1.0))}


def test_failures_are_counted_with_the_latencies_of_their_run(store: Store, tmp_path):
    name = run(store, tmp_path)
    judge(store, name, (1, 1), None, ("tiles",), 50.0)
    judge(store, name, (1, 2), None, ("tiles",), None, provenance=Provenance.COUNTED)
    (tally,) = store.credits.models()
    assert (tally.provenance, tally.tries, tally.correct) == (Provenance.ESTIMATED, 2, 1)
    assert [(one.provenance, one.tries) for one in store.credits.earned()] == [(Provenance.ESTIMATED, 2)]
