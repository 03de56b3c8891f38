"""Kernels that a search was given to begin with: the first candidates of round 1, written already."""

from __future__ import annotations

from collections.abc import Sequence

from agent.candidates import GIVEN, CandidatePlan, Submission
from agent.search.deps import Deps


def begun_with(deps: Deps, number: int, plans: Sequence[CandidatePlan]) -> list[CandidatePlan]:
    """Return the plans of a round, in round 1 with the kernels given in the places of the first ones.

    They are stored as submissions, so that no coder is asked for them; whoever resumes finds them there.
    """
    given = deps.request.start if number == 1 else ()
    mine = [CandidatePlan(why="a kernel that the search was given", origin=GIVEN) for _ in given]
    for candidate, (plan, text) in enumerate(zip(mine, given, strict=True), start=1):
        sha = deps.store.kernels.keep(deps.run, text)
        deps.store.candidates.add(deps.run, Submission(1, candidate, plan, sha))
    return [*mine, *plans[len(mine) :]]
