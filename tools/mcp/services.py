"""What the kernel tools ask of the server that they are registered on."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any, Protocol

from tools.mcp.named_orders import NamedOrder
from tools.progress import Account
from tools.reports import CheckReport
from tools.tasks.catalogue import TaskCatalogue
from tools.tasks.task import Task
from tools.toolbox import Toolbox


class HasToolbox(Protocol):
    """What the server's lifespan must yield."""

    @property
    def toolbox(self) -> Toolbox:
        """The toolbox of the server's own device; the server closes it."""
        ...

    @property
    def devices(self) -> Sequence[str]:
        """The devices that this server judges on, its own first."""
        ...

    @property
    def catalogue(self) -> TaskCatalogue:
        """The tasks that clients may name."""
        ...

    @property
    def judged(self) -> MutableMapping[str, CheckReport]:
        """What was found of drafts that their persons were asked about."""
        ...

    async def toolbox_of(self, device: str) -> Toolbox:
        """Return the toolbox of one of the devices; the server closes it."""
        ...

    async def go_on_later(
        self, order: NamedOrder, device: str, work: asyncio.Task[Any], account: Account
    ) -> str:
        """Let an order that is being carried out go on in the background; return the job's id.

        Raises:
            UsageError: The caller has too many there; the work was cancelled.
        """
        ...

    def used(self, task: str) -> bool:
        """Say whether something has used a task of that name: what was used is never changed."""
        ...

    def features_against(self, bottleneck: str) -> list[str]:
        """Return the names of techniques that may help against a bottleneck, the likeliest first."""
        ...

    def composer_on(self, task: Task) -> str:
        """Say whether a search can do without a model for a task, and if not, why."""
        ...
