"""Desk and judges as Ray's actors: what each takes of a cluster, and JSON in and out of it."""

from __future__ import annotations

import uuid
from typing import Any

import ray as untyped

from tools.cluster.desk import Desk
from tools.cluster.desk_order import DeskOrder
from tools.cluster.judge import Judge
from tools.cluster.judge_group import JudgeGroup
from tools.sent_orders import SentOrder

Actor = Any
ray: Any = untyped
"""Types of its own are partly unknown."""

DESK = "desk"
_JUDGE = "judge "
_AT_ONCE = 4096
"""Orders that wait at a desk; Ray has further ones wait before it."""
_HEAD = {"node:__internal_head__": 0.001}
"""A resource that Ray gives to the head's node alone."""


class JudgeActor:
    """A `Judge`, in a process of Ray's."""

    def __init__(self, group: str) -> None:
        context = ray.get_runtime_context()
        gpus = context.get_accelerator_ids().get("GPU", [])
        node = ray.util.get_node_ip_address()
        self._judge = Judge(JudgeGroup.model_validate_json(group), node, gpus)

    async def facts(self) -> str:
        """See `Judge.facts`."""
        return (await self._judge.facts()).model_dump_json()

    async def judge(self, key: str, device: str, order: str) -> str:
        """See `Judge.judge`."""
        answer = await self._judge.judge(key, device, SentOrder.model_validate_json(order))
        return answer.model_dump_json()


class DeskActor:
    """A `Desk`, in a process of Ray's on the head's node."""

    def __init__(self) -> None:
        self._desk = Desk(RayStaff())

    async def isolation(self, tenant: str, group: str) -> str:
        """See `Desk.isolation`."""
        return (await self._desk.isolation(tenant, JudgeGroup.model_validate_json(group))).model_dump_json()

    async def judge(self, asked: str) -> str:
        """See `Desk.judge`."""
        return (await self._desk.judge(DeskOrder.model_validate_json(asked))).model_dump_json()

    async def figures(self) -> str:
        """See `Desk.figures`."""
        return self._desk.figures().model_dump_json()


class RayStaff:
    """Judges by name, so that a desk that was lost leaves them to the next one."""

    def hire(self, group: JudgeGroup) -> Actor:
        """See `Staff`."""
        name = f"{_JUDGE}{uuid.uuid4().hex} {group.model_dump_json()}"
        options = {"name": name, "lifetime": "detached", "max_restarts": -1, **group.needs}
        return ray.remote(JudgeActor).options(**options).remote(group.model_dump_json())

    def fire(self, judge: Actor) -> None:
        """See `Staff`."""
        ray.kill(judge, no_restart=True)

    def cancel(self, call: Any) -> None:
        """See `Staff`."""
        ray.cancel(call)

    def known(self) -> list[tuple[JudgeGroup, Actor]]:
        """See `Staff`."""
        found: list[tuple[JudgeGroup, Actor]] = []
        for name in ray.util.list_named_actors():
            if name.startswith(_JUDGE):
                group = JudgeGroup.model_validate_json(name.split(" ", 2)[2])
                found.append((group, ray.get_actor(name)))
        return found


def desk_actor() -> Actor:
    """Return the desk of the cluster that this process is connected to; the first who asks opens it."""
    return ray.remote(DeskActor).options(
        name=DESK, lifetime="detached", get_if_exists=True, num_cpus=0, resources=_HEAD,
        max_restarts=-1, max_task_retries=-1, max_concurrency=_AT_ONCE,
    ).remote()  # fmt: skip
