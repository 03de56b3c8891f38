"""The roles a worker can have. Each is imported only where it is asked for, with only what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class WorkerRole(Protocol):
    """What a worker does."""

    @property
    def accepts(self) -> tuple[type[Any], ...]:
        """The request dataclasses that `answer` takes."""
        ...

    def answer(self, call: Any) -> object:
        """Answer a request with a dataclass; MemoryError and bugs are reported by the loop."""
        ...


def load_role(name: str, resources: Mapping[str, list[str]]) -> WorkerRole:
    """Return the role of that name.

    Args:
        name: `compile`, `reference`, `reference_torch` (PyTorch is there), `simulate`, `prove`, `torch`, or `cuda:N`
            for the GPU of that number.
        resources: Files that the role reads, as this process sees them.

    Raises:
        ValueError: There is no such role.
    """
    match name:
        case "compile":
            from sandbox.compiler.role import CompileRole

            return CompileRole(resources)
        case "reference":
            from sandbox.reference.role import ReferenceRole

            return ReferenceRole()
        case "reference_torch":
            from sandbox.torch_graphs import confined

            confined.prepare()
            from sandbox.reference.role import ReferenceRole

            return ReferenceRole()
        case "prove":
            from sandbox.proof.role import ProofRole

            return ProofRole()
        case "torch":
            from sandbox.torch_graphs import confined

            confined.prepare()
            from sandbox.torch_graphs.role import TorchRole

            return TorchRole()
        case "simulate":
            from sandbox.devices.simulate_role import SimulateRole

            return SimulateRole()
        case _ if name.startswith("cuda:"):
            from sandbox.devices.cuda_role import open_role

            return open_role(int(name.removeprefix("cuda:")), resources)
        case _:
            raise ValueError(f"no role {name!r}")
