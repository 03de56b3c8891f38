"""What travels between a search and the desk of a cluster."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tools.cluster.judge_group import JudgeGroup


class DeskOrder(BaseModel):
    """An order on its way to a judge.

    Attributes:
        key: By content: two orders with one key ask the same.
        tenant: Whose it is.
        device: By its name in a cluster.
        order: A `SentOrder` as JSON, which only the judge reads.
    """

    model_config = ConfigDict(frozen=True)
    key: str
    tenant: str
    device: str
    group: JudgeGroup
    order: str


class DeskFigures(BaseModel):
    """What a desk did since it began.

    Attributes:
        answered: Orders that judges answered.
        repeated: Orders that were answered before, or were under way: nothing was done again.
        lost: Times that a judge ended with an order in its hands.
        judges: Node and process id of each judge that is there.
        desk: Process id of the desk.
    """

    model_config = ConfigDict(frozen=True)
    answered: int = 0
    repeated: int = 0
    lost: int = 0
    judges: tuple[tuple[str, int], ...] = ()
    desk: int = 0
