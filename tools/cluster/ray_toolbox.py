"""The toolbox of a Ray cluster: orders go to its desk, which has judges on its nodes carry them out."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from sandbox.errors import MissingDependencyError
from sandbox.isolation.choose import VARIABLE
from sandbox.spans import OPERATION, TOOL, VERDICT, span
from tools.cluster.cluster_answer import ClusterAnswer
from tools.cluster.cluster_link import LOCAL, ClusterLink, checked, join, leave
from tools.cluster.desk_order import DeskFigures, DeskOrder
from tools.cluster.judge_group import JudgeGroup, cluster_device
from tools.sent_orders import REPORTS, SentOrder, sent
from tools.tasks.task import Task
from tools.toolbox import AnyOrder, Order, Toolbox

_LOCAL_S, _LOCAL_GPU_S, _CLUSTER_S = 300.0, 60.0, 900.0

R = TypeVar("R")


class RayToolbox(Toolbox):
    """A toolbox whose workers are a cluster's; usable once entered.

    What was judged before is not judged again for the same tenant: an order whose answer was lost on its way is asked
    for once more, under the key of its content, and found.
    """

    def __init__(
        self,
        workers: str,
        device: str,
        *,
        cache: Path,
        tenant: str | Callable[[], str] = "",
        cpus: int | None = None,
        patience_s: float | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            workers: `ray://HOST:PORT`, or `local-ray` for a Ray of this machine's own.
            device: `sim:h200`, or a GPU of the cluster: `cuda`, `cuda:h200`.
            cache: Folder for compiled programs of this machine's own.
            tenant: Whose orders these are, or what tells whose each is; empty for this user of this machine.
            cpus: Judges on CPU slots of a Ray of this machine's own; None for one a core.
            patience_s: How long the first judge is awaited; None for as long as a cluster may take to add a node.

        Raises:
            UsageError: There is no such device, or that is no address of a cluster.
        """
        self._device = cluster_device(device)
        self._workers, self._cpus = checked(workers), cpus
        self._link: ClusterLink | None = None
        self._whose = tenant
        isolation = os.environ.get(VARIABLE) or "auto"
        self._group = JudgeGroup.of(self._device, isolation, str(cache) if workers == LOCAL else None)
        local_s = _LOCAL_GPU_S if self._group.gpu else _LOCAL_S
        self._patience_s = patience_s or (local_s if workers == LOCAL else _CLUSTER_S)
        self._isolation = ""

    @property
    def device(self) -> str:
        """Name of the device in use."""
        return self._device

    @property
    def isolation(self) -> str:
        """Name of the isolation in use on the nodes."""
        return self._isolation

    async def do(self, order: Order[Task, R]) -> R:
        """Have an order carried out by a judge and return its report; see `tools.toolbox.Toolbox`."""
        known = cast("AnyOrder[Task]", order)
        with span(f"execute_tool {known.kind}", {OPERATION: "execute_tool", TOOL: known.kind}) as told:
            text = (await asyncio.to_thread(sent, known, SentOrder)).model_dump_json()
            answer = await self._ask("judge", self._desk_order(text).model_dump_json())
            report = REPORTS[known.kind].validate_python(answer)
            told.set_attribute(VERDICT, report.verdict.value)
            return report

    @property
    def _tenant(self) -> str:
        known = self._whose if isinstance(self._whose, str) else self._whose()
        return known or f"{getpass.getuser()}@{socket.gethostname()}"

    def _desk_order(self, order: str) -> DeskOrder:
        tenant = self._tenant
        content = "\n".join((tenant, self._device, self._group.model_dump_json(), order))
        key = hashlib.sha256(content.encode()).hexdigest()
        return DeskOrder(key=key, tenant=tenant, device=self._device, group=self._group, order=order)

    async def _ask(self, method: str, *args: str) -> Any:
        answer = ClusterAnswer.model_validate_json(await self._linked.ask(method, *args))
        if answer.problem is not None:
            raise answer.error
        return answer.report or answer.message

    @property
    def _linked(self) -> ClusterLink:
        assert self._link is not None, "a toolbox of a cluster is entered before it is used"
        return self._link

    async def figures(self) -> DeskFigures:
        """Return what the cluster's desk did since it began."""
        return DeskFigures.model_validate_json(await self._linked.ask("figures"))

    async def __aenter__(self) -> Self:
        """Connect, and await the first judge.

        Raises:
            UsageError: The cluster asks for no token, or not for this one.
            MissingDependencyError: Nothing answers there, or no node can judge.
        """
        self._link = await asyncio.to_thread(join, self._workers, self._cpus)
        try:
            async with asyncio.timeout(self._patience_s):
                self._isolation = await self._ask("isolation", self._tenant, self._group.model_dump_json())
        except TimeoutError:
            await self.aclose()
            wanted = f"a GPU for {self._device}" if self._group.gpu else "a CPU slot"
            raise MissingDependencyError(
                f"{self._workers} had no node with {wanted} within {self._patience_s:g} s"
            ) from None
        except BaseException:
            await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Disconnect; judges of a cluster stay for others, for a while."""
        if self._link is not None:
            link, self._link = self._link, None
            await asyncio.to_thread(leave, link)
