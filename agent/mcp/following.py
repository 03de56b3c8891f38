"""Following a search by its events: the same for one that runs here and one read from the store."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from agent.candidates import Trial
from agent.events import (
    BaselineJudged,
    CandidateJudged,
    Event,
    Noticed,
    RoundFinished,
    RoundPlanned,
    RunFinished,
    RunStarted,
    StageFinished,
)
from agent.mcp.answers import BestSoFar, SearchStatus
from agent.results import RunState
from agent.store import Store
from tools.mcp.by_tools import by_tools

_READ = "search_result(run='{run}') gives the best kernel"
_GO_ON = "start_search(resume='{run}') goes on with it."
_NEXT_STEPS = {
    RunState.RUNNING: "search_status(run='{run}') waits for what happens next.",
    RunState.COMPLETED: f"{_READ}.",
    RunState.CANCELLED: f"{_READ} so far. {_GO_ON}",
    RunState.FAILED: f"{_READ} so far. Once the cause is mended, {_GO_ON}",
    RunState.INTERRUPTED: f"{_GO_ON} {_READ} so far.",
}


def next_step(run: str, state: RunState) -> str:
    """Return the tool call that makes sense in a state."""
    return _NEXT_STEPS[state].format(run=run)


@dataclass
class Followed:
    """A search as its events tell it."""

    task: str = ""
    device: str = ""
    rounds: int = 0
    candidates_total: int = 0
    round: int = 0
    message: str = "starting"
    judged: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Round and candidate; a resumed run may judge one again."""

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return the search that these events tell of."""
        followed = cls()
        for event in events:
            followed.take(event)
        return followed

    def take(self, event: Event) -> None:
        """Take in one more event."""
        self.message = _in_words(event)
        match event:
            case RunStarted():
                self.task, self.device = event.task, event.device
                self.rounds, self.candidates_total = event.depth, event.depth * event.candidates
            case RoundPlanned():
                self.round = event.round
            case CandidateJudged():
                self.judged.add((event.round, event.candidate))
            case BaselineJudged() | StageFinished() | RoundFinished() | Noticed() | RunFinished():
                pass

    def status(self, run: str, state: RunState, error: str = "", best: Trial | None = None) -> SearchStatus:
        """Return the answer to a client; the best candidate is the store's, so that results say the same."""
        return SearchStatus(
            run=run,
            task=self.task,
            device=self.device,
            state=state,
            round=self.round,
            rounds=self.rounds,
            candidates_judged=len(self.judged),
            candidates_total=self.candidates_total,
            best=None if best is None else BestSoFar.model_validate(best, from_attributes=True),
            message=by_tools(error or self.message),
            next_step=next_step(run, state),
        )


@dataclass
class _Read:
    """A run as far as its events were read; who reads on holds the lock, and nobody waits for another run's."""

    followed: Followed = field(default_factory=Followed)
    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Progress:
    """What is known of the runs that were asked for lately; each event is read once. Safe to use from threads."""

    def __init__(self, capacity: int = 256) -> None:
        self._known: OrderedDict[str, _Read] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def of(self, store: Store, run: str) -> Followed:
        """Return a run as its events tell it up to now; raise UsageError where the store shows no such run."""
        with self._lock:
            known = self._known.get(run) or _Read()
        with known.lock:
            for entry in store.events_since(run, known.number):
                known.followed.take(entry.event)
                known.number = entry.number
            found = replace(known.followed, judged=set(known.followed.judged))
        with self._lock:
            self._known[run] = known
            self._known.move_to_end(run)
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return found


def _in_words(event: Event) -> str:
    match event:
        case RunStarted():
            return f"{event.model} searches on {event.device}"
        case BaselineJudged():
            return f"baseline: {_latency(event)}"
        case RoundPlanned():
            return f"round {event.round}: {len(event.features)} candidates planned"
        case StageFinished():
            return f"round {event.round} candidate {event.candidate}: {event.stage} done"
        case CandidateJudged():
            judged = f"round {event.round} candidate {event.candidate} ({event.tried}): {event.verdict}"
            detail = _latency(event) if event.latency_us is not None else event.message
            return f"{judged}, {detail}{', best so far' if event.is_best else ''}"
        case RoundFinished():
            return f"round {event.round} judged; critic: {event.critique}"
        case Noticed():
            return event.message
        case RunFinished():
            return f"ended: {event.stopped}"


def _latency(event: BaselineJudged | CandidateJudged) -> str:
    return "no latency" if event.latency_us is None else f"{event.latency_us:.2f} us ({event.provenance})"
