"""Times a candidate beside a baseline on a GPU: every sample cold, on fresh outputs, its results looked at.

One sample: inputs restored, outputs and scratch filled with fresh noise, device globals as in the cubin, persisting
lines of the L2 reset, the L2 flushed by writing and then reading more than it holds; then, while a delay keeps the
GPU busy so that all is queued before the first event happens: event, launches, event. After it inputs, guard zones
and outputs are looked at by digest.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from sandbox.cuda.buffers import GUARD_BYTES, Array
from sandbox.cuda.driver import Driver
from sandbox.cuda.harness import WORD, Harness
from sandbox.cuda.loading import RefusedError
from sandbox.cuda.subject import InputSets, RepeatedPlan
from sandbox.timing.measured import PairedTimes, TimedPlan
from sandbox.timing.schedule import BASELINE, CANDIDATE, TimingRules, block_order, enough
from sandbox.timing.stability import stable
from sandbox.timing.statistics import summary
from sandbox.worker.messages import CudaTimes

_SECRET_BITS = 62
_DELAY_NS = 60_000
_DELAY_PER_LAUNCH_NS = 30_000
_LONGEST_DELAY_NS = 20_000_000
_LONGEST_WARM = 4.0
"""Times `warm_s` after which a warm-up ends, stable or not."""

_EMPTY_SAMPLES = 11
_PARTS_SAMPLES = 7
_WARM_SAMPLES = 5
_WARM_US = 2000.0
_MOST_REPLAYED = 512


@dataclass
class _Samples:
    times: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    clocks: list[float] = field(default_factory=list[float])
    dropped: int = 0


class PairTiming:
    """One timing: whom to time, on which inputs, how carefully. Use once."""

    def __init__(
        self,
        driver: Driver,
        harness: Harness,
        rules: TimingRules,
        *,
        guard: int = GUARD_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet; `clock` tells seconds of wall time."""
        self._driver = driver
        self._harness = harness
        self._rules = rules
        self._guard = guard
        self._clock = clock
        self._secret = secrets.randbits(_SECRET_BITS)
        self._poison = secrets.randbits(_SECRET_BITS)
        self._flips = secrets.randbits(_SECRET_BITS)
        self._delay_ns = 0
        self._current = CANDIDATE
        words = int(rules.flush * driver.facts.l2_bytes) // WORD
        self._flush_bytes = words * WORD
        self._flush = 0

    def times(
        self, candidate: TimedPlan, baseline: TimedPlan | None, inputs: Sequence[Mapping[str, Array]]
    ) -> CudaTimes:
        """Take the samples.

        Args:
            candidate: What is judged.
            baseline: What it is compared with.
            inputs: Sets of flat arrays for in and inout buffers.

        Returns:
            The samples; after a fault the worker is spent.

        Raises:
            DriverError: The machine failed, neither of the two.
        """
        try:
            return CudaTimes(self._times(candidate, baseline, inputs), spent=False)
        except RefusedError as refused:
            fault, of_baseline = refused.fault, self._current == BASELINE
            return CudaTimes(PairedTimes(fault, of_baseline), spent=True)

    def _times(
        self, candidate: TimedPlan, baseline: TimedPlan | None, inputs: Sequence[Mapping[str, Array]]
    ) -> PairedTimes:
        started = self._clock()
        self._flush = self._driver.allocate(2 * self._flush_bytes)
        self._harness.fill(self._flush, 2 * self._flush_bytes, self._secret)
        sets = InputSets(self._driver, self._harness, inputs)
        subjects: list[RepeatedPlan] = []
        for who, timed in enumerate([candidate] if baseline is None else [candidate, baseline]):
            self._current = who
            kept = self._rules.kept
            subjects.append(
                RepeatedPlan(self._driver, self._harness, timed, sets, self._secret + who, self._guard, kept)
            )
        launches = max(len(timed.plan.launches) for timed in (candidate, baseline or candidate))
        self._delay_ns = _DELAY_NS + launches * _DELAY_PER_LAUNCH_NS
        self._warm_up(subjects, len(sets), started)
        samples = self._sample(subjects, len(sets), started)
        found = self._result(subjects, samples)
        for one in (*subjects, sets):
            one.release()
        self._driver.free(self._flush)
        return found

    def _result(self, subjects: Sequence[RepeatedPlan], samples: _Samples) -> PairedTimes:
        outputs, unkept = subjects[CANDIDATE].outputs()
        found = PairedTimes(
            None,
            candidate=tuple(samples.times[CANDIDATE]),
            baseline=tuple(samples.times[BASELINE]),
            empty=tuple(self._empty(subjects[CANDIDATE]) for _ in range(_EMPTY_SAMPLES)),
            parts=self._parts(subjects[CANDIDATE]),
            clocks=tuple(samples.clocks),
            dropped=samples.dropped,
            outputs=outputs,
            unkept=unkept,
        )
        warm = [
            self._warm(one, median) for one, median in zip(subjects, self._medians(samples), strict=False)
        ]
        if (first := warm[CANDIDATE]) is None:
            return found
        other = warm[BASELINE] if len(warm) > 1 else None
        return replace(found, warm=first[0], gap=first[1], warm_baseline=other[0] if other else None)

    def _medians(self, samples: _Samples) -> list[float]:
        return [summary(times).median if times else 0.0 for times in samples.times]

    def _warm_up(self, subjects: Sequence[RepeatedPlan], sets: int, started: float) -> None:
        times: list[list[float]] = [[] for _ in subjects]
        turn = 0
        while True:
            for who, _ in enumerate(subjects):
                times[who].append(self._one(subjects, who, turn % sets, keep=False))
            turn += 1
            passed = self._clock() - started
            settled = passed >= self._rules.warm_s and all(stable(one) for one in times)
            if settled or passed >= min(_LONGEST_WARM * self._rules.warm_s, self._rules.limit_s / 2):
                return

    def _sample(self, subjects: Sequence[RepeatedPlan], sets: int, started: float) -> _Samples:
        samples, block = _Samples(), 0
        paired = len(subjects) > 1
        while True:
            flipped = bool(self._flips >> block % _SECRET_BITS & 1)
            self._block(subjects, block_order(paired=paired, flipped=flipped), block % sets, samples)
            block += 1
            late = self._clock() - started >= self._rules.limit_s
            if late or enough(samples.times[CANDIDATE], samples.times[BASELINE], self._rules):
                return samples

    def _block(
        self, subjects: Sequence[RepeatedPlan], order: Sequence[int], index: int, samples: _Samples
    ) -> None:
        """Take the pairs of one block: neighbours in the order, or single samples without a baseline."""
        size = len(subjects)
        for start in range(0, len(order), size):
            before = self._harness.clock_mhz()
            taken = {who: self._one(subjects, who, index) for who in order[start : start + size]}
            after = self._harness.clock_mhz()
            if abs(after - before) > self._rules.clock_change * max(before, after):
                samples.dropped += 1
                continue
            samples.clocks.append(before)
            for who, microseconds in taken.items():
                samples.times[who].append(microseconds)

    def _one(self, subjects: Sequence[RepeatedPlan], who: int, index: int, *, keep: bool = True) -> float:
        """Take one sample, microseconds; again, with a longer delay, where the GPU ran dry before all was queued."""
        self._current = who
        subject = subjects[who]
        while True:
            self._poison += 1 << 20
            subject.make_ready(index, self._poison)
            events, queued_ns = self._between_events(subject.launch)
            subject.finish()
            subject.look(index, keep=keep and who == CANDIDATE)
            elapsed = self._driver.elapsed_us(*events)
            if queued_ns <= self._delay_ns or self._delay_ns >= _LONGEST_DELAY_NS:
                return elapsed
            self._delay_ns = min(2 * self._delay_ns, _LONGEST_DELAY_NS)

    def _between_events(self, launch: Callable[[], None]) -> tuple[tuple[object, object], float]:
        driver = self._driver
        driver.reset_persisting_lines()
        driver.fill(self._flush, secrets.randbits(32), self._flush_bytes // WORD)
        self._harness.read(self._flush + self._flush_bytes, self._flush_bytes)
        driver.synchronize()
        self._harness.spin(self._delay_ns)
        queued = self._clock()
        first = driver.record()
        launch()
        last = driver.record()
        return (first, last), 1e9 * (self._clock() - queued)

    def _parts(self, subject: RepeatedPlan) -> tuple[float, ...]:
        taken: list[list[float]] = []
        for _ in range(_PARTS_SAMPLES):
            self._poison += 1 << 20
            subject.make_ready(0, self._poison)
            events: list[object] = []
            self._between_events(lambda events=events: events.extend(subject.launch_apart()))
            subject.finish()
            taken.append([self._driver.elapsed_us(*pair) for pair in pairwise(events)])
        return tuple(summary(one).median for one in zip(*taken, strict=True))

    def _empty(self, subject: RepeatedPlan) -> float:
        events, _ = self._between_events(lambda: self._harness.nothing(*subject.shape))
        self._driver.synchronize()
        return self._driver.elapsed_us(*events)

    def _warm(self, subject: RepeatedPlan, cold_us: float) -> tuple[float, float] | None:
        """Return the time of one run among many, by a graph, and what launches from the host add; None if unsound."""
        if subject.changes_its_inputs:
            return None
        driver, count = self._driver, max(2, min(_MOST_REPLAYED, round(_WARM_US / max(cold_us, 1.0))))

        def many() -> None:
            for _ in range(count):
                subject.launch()

        subject.make_ready(0, self._poison)
        driver.begin_graph()
        try:
            many()
        finally:
            graph = driver.end_graph()
        from_graph = self._repeated(lambda: driver.launch_graph(graph), count)
        from_host = self._repeated(many, count)
        driver.drop_graph(graph)
        return from_graph, max(0.0, from_host - from_graph)

    def _repeated(self, runs: Callable[[], None], count: int) -> float:
        found: list[float] = []
        for _ in range(_WARM_SAMPLES + 1):
            first = self._driver.record()
            runs()
            last = self._driver.record()
            self._driver.synchronize()
            found.append(self._driver.elapsed_us(first, last) / count)
        return summary(found[1:]).median
