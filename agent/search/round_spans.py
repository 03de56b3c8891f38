"""Spans of a search's rounds, and of what is done in each."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sandbox.spans import CANDIDATE, CONVERSATION, ROUND, Span, Value, begin, span


@dataclass(frozen=True)
class RoundSpans:
    """The rounds of one run that are under way in this process; each of their steps lies below its round."""

    run: str
    _begun: dict[int, Span] = field(default_factory=dict[int, Span])

    @contextmanager
    def step(self, name: str, number: int, candidate: int = 0) -> Generator[Span]:
        """Tell of one step: plan, write, judge or criticise; of a candidate, or of the whole round for 0."""
        said: dict[str, Value] = {CONVERSATION: self.run, ROUND: number}
        if number not in self._begun:
            self._begun[number] = begin(f"round {number}", said)
        if candidate:
            said[CANDIDATE] = candidate
        with span(name, said, below=self._begun[number]) as told:
            yield told

    def over(self, number: int) -> None:
        """A round has its critique, and the next one begins."""
        if (told := self._begun.pop(number, None)) is not None:
            told.end()

    def close(self) -> None:
        """Nothing more is done in this process."""
        for number in list(self._begun):
            self.over(number)
