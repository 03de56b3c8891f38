"""What kind of judges an order needs, and what each of them takes of a cluster."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from sandbox.devices.open import device_name
from sandbox.errors import UsageError

_CPU = "cpu"
_GPU = re.compile(r"cuda(?::([A-Za-z][A-Za-z0-9-]{0,31}))?")


class JudgeGroup(BaseModel):
    """Judges that are alike: each takes any order that is for their group.

    Attributes:
        place: `cpu`, a CPU slot, on which every GPU is simulated; `cuda`, a whole GPU of any type; `cuda:H200`, one
            of that type.
        isolation: How workers are confined on every node; `auto` is bubblewrap there, and nothing weaker.
        cache: Folder of compiled programs; None for that of each node's own.
    """

    model_config = ConfigDict(frozen=True)
    place: str
    isolation: str = "auto"
    cache: str | None = None

    @classmethod
    def of(cls, device: str, isolation: str, cache: str | None) -> JudgeGroup:
        """Return the group that judges on a device, by a name that `cluster_device` returned."""
        return cls(
            place=device if device.startswith("cuda") else _CPU,
            isolation=isolation,
            cache=cache,
        )

    @property
    def gpu(self) -> bool:
        """Whether each of its judges holds a GPU."""
        return self.place != _CPU

    @property
    def needs(self) -> dict[str, Any]:
        """What a judge takes, in the words of Ray's actor options; an autoscaler adds nodes that have it.

        A judge that holds a GPU takes no CPU slot: judges that simulate could keep it from its GPU for ever.
        """
        if not self.gpu:
            return {"num_cpus": 1}
        _, _, kind = self.place.partition(":")
        return {"num_cpus": 0, "num_gpus": 1} | ({"accelerator_type": kind} if kind else {})


def cluster_device(name: str) -> str:
    """Resolve what a user calls a device of a cluster: `auto` is `sim:h200`, `cuda:l4` is `cuda:L4`.

    Raises:
        UsageError: There is no such device; a GPU of a cluster has a type, not a number.
    """
    match = _GPU.fullmatch(name)
    if match:
        return f"cuda:{match[1].upper()}" if match[1] else "cuda"
    if name.startswith("cuda"):
        raise UsageError(
            f"{name!r} names no GPU of a cluster: `cuda` is any, `cuda:TYPE` one of a type, such as cuda:h200"
        )
    return device_name(name, gpu=False)
