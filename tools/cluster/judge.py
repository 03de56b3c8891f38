"""A judge: one slot of a cluster's node, with toolboxes and confined workers of its own there."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path

from sandbox.errors import MissingDependencyError, WarpwrightError
from sandbox.isolation.choose import VARIABLE, choose_isolation
from tools.awaiting import Memo
from tools.cluster.cluster_answer import ClusterAnswer, JudgeFacts
from tools.cluster.judge_group import JudgeGroup
from tools.local_toolbox import LocalToolbox
from tools.parts import local_parts
from tools.sent_orders import SentOrder, dump, received

_REMEMBERED = 64
_OPEN = 2
"""Simulated GPUs whose workers are kept warm."""
_GPU_WIDTH = 2


class Judge:
    """Carries out one order at a time, and remembers its last answers by the key of their orders."""

    def __init__(self, group: JudgeGroup, node: str, gpus: list[str]) -> None:
        """Start nothing yet; `gpus` are those that Ray gave it, by their numbers on its node."""
        self._group, self._node, self._gpus = group, node, gpus
        self._toolboxes: dict[str, LocalToolbox] = {}
        self._answers: Memo[str, ClusterAnswer] = Memo(_REMEMBERED)
        self._asked: dict[str, None] = {}
        self._alone = asyncio.Lock()

    async def facts(self) -> JudgeFacts:
        """Say what it is, and why it cannot judge where it cannot."""
        said = JudgeFacts(
            group=self._group.model_dump_json(), node=self._node, pid=os.getpid(), answered=tuple(self._asked)
        )
        try:
            isolation = self._isolation()
            if self._group.gpu:
                await self._opened(self._group.place)
        except WarpwrightError as error:
            told = ClusterAnswer.of(type(error)(f"node {self._node}: {error}"))
            return said.model_copy(update={"problem": told})
        return said.model_copy(update={"isolation": isolation})

    async def judge(self, key: str, device: str, order: SentOrder) -> ClusterAnswer:
        """Carry an order out; one that it has answered, or is at work on, is not begun again."""
        self._asked[key] = None
        answer = await self._answers.get(
            key, partial(self._carry_out, device, order), keep=lambda one: one.kept
        )
        if not answer.kept:
            self._asked.pop(key, None)
        while len(self._asked) > _REMEMBERED:
            del self._asked[next(iter(self._asked))]
        return answer

    async def _carry_out(self, device: str, order: SentOrder) -> ClusterAnswer:
        async with self._alone:
            try:
                toolbox = await self._opened(device)
                report = await toolbox.do(await asyncio.to_thread(received, order))
            except WarpwrightError as error:
                return ClusterAnswer.of(error)
            return ClusterAnswer(report=dump(report))

    async def _opened(self, device: str) -> LocalToolbox:
        found = self._toolboxes.pop(device, None) or self._open(device)
        self._toolboxes[device] = found
        while len(self._toolboxes) > _OPEN:
            await self._toolboxes.pop(next(iter(self._toolboxes))).aclose()
        return found

    def _open(self, device: str) -> LocalToolbox:
        cache = Path(self._group.cache) if self._group.cache else node_cache()
        width = _GPU_WIDTH if self._group.gpu else 1
        name = self._gpu() if self._group.gpu else device
        parts = local_parts(name, cache, width, self._isolation())
        return LocalToolbox(cache=cache, parts=parts)

    def _isolation(self) -> str:
        found, asked = choose_isolation(self._group.isolation).name, self._group.isolation
        if found == "process" != asked:
            raise MissingDependencyError(
                "bubblewrap does not start there, and nothing weaker judges on a cluster unless it is asked for where"
                f" the search runs: {VARIABLE}=process"
            )
        return found

    def _gpu(self) -> str:
        if len(self._gpus) != 1 or not self._gpus[0].isdigit():
            raise MissingDependencyError(f"one GPU, by its number, was expected of Ray, not {self._gpus}")
        return f"cuda:{self._gpus[0]}"


def node_cache() -> Path:
    """Return where a node keeps what was compiled: the user's folder for that."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "warpwright"
