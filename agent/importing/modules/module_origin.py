"""What a task keeps of the PyTorch function or module that it was made of; the module as a judge of its kernels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.importing.modules.node_times import MachineRates
from agent.importing.modules.parts import amdahl
from sandbox.device import Array
from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import EvaluateCall, ExportCall, ExportFault
from sandbox.torch_graphs.service import TorchGraphs
from sandbox.worker.messages import Expected
from tools.parts import AnswerService

FILE = "module.json"


class ModuleOrigin(BaseModel):
    """Where a task is from.

    Attributes:
        text: Of the Python file, example inputs among it.
        file: Its name, for messages.
        arguments: The graph's name of each argument of the task that is no output.
        outputs: The task's outputs in the module's order, or in that of `nodes`.
        nodes: The values of the module that the task computes; empty for its own outputs.
        symbols: The dim of each size of the graph that is free; `pinned` are the others.
        replaced_us: Estimated time of the module's operators that the task is about, each a kernel of its own.
        module_us: Of all its operators.
        device: The GPU of the estimate.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    file: str
    target: str
    inputs: str
    settings: str
    fixed: bool = False
    arguments: dict[str, str]
    outputs: tuple[str, ...]
    nodes: tuple[str, ...] = ()
    symbols: dict[str, str]
    pinned: dict[str, int]
    replaced_us: float
    module_us: float
    device: str

    @property
    def call(self) -> ExportCall:
        """What exports the module."""
        return ExportCall(self.text, self.file, self.target, self.inputs, self.settings, self.fixed)

    @property
    def share(self) -> float:
        """The share of the module's estimated time that the task is about."""
        return self.replaced_us / self.module_us if self.module_us else 1.0

    def gain(self, kernel_us: float) -> float:
        """How much faster the module's operators become, all together, with a kernel that takes so long."""
        return amdahl(self.share, self.replaced_us / kernel_us)

    @property
    def limit(self) -> float:
        """The same with a kernel that takes no time; infinite where it replaces everything."""
        return float("inf") if self.share >= 1.0 else amdahl(self.share, float("inf"))

    def symbol_sizes(self, dims: Mapping[str, int]) -> dict[str, int]:
        """Return a size for each symbol of the graph."""
        return {**self.pinned, **{symbol: dims[name] for symbol, name in self.symbols.items()}}


def machine_rates(device: str, dtypes: tuple[str, ...]) -> tuple[str, MachineRates]:
    """Return the rates for estimates of a module, and whose they are: of an H200 for devices that are not known."""
    from sandbox.devices.simulated import ceilings_of, simulated_names
    from sandbox.simulator.gpus.architectures import ARCHITECTURES

    known = device if device in simulated_names() else simulated_names()[0]
    found = ceilings_of(known, dtypes)
    assert found is not None, "it is simulated"
    return known, MachineRates(found, ARCHITECTURES[known.removeprefix("sim:")].launch_us)


def read_origin(folder: Path) -> ModuleOrigin | None:
    """Return what a task's folder says of its module; None for a task of another origin.

    Raises:
        UsageError: What it says is spoilt.
    """
    path = folder / FILE
    try:
        return ModuleOrigin.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError):
        raise UsageError(f"{path}: expected what an import of a module wrote: import it again") from None


class ModuleAnswers:
    """Answers questions of a task with what the module itself computes in float64; bounds are the reference's."""

    def __init__(self, references: AnswerService, graphs: TorchGraphs, origin: ModuleOrigin) -> None:
        """Own the references; whoever made `graphs` ends them."""
        self._references = references
        self._graphs = graphs
        self._origin = origin

    async def expected(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        accumulate: str | None = None,
        seed: int = 0,
    ) -> Expected:
        """Compute the outputs by the module, and the scale of their error bound by the reference.

        Raises:
            UsageError: The module raises at these sizes.
        """
        base = await self._references.expected(text, inputs, dims, dtypes, accumulate=accumulate, seed=seed)
        origin = self._origin
        given = {origin.arguments[name]: array for name, array in inputs.items()}
        sizes = origin.symbol_sizes(dims)
        answer = await self._graphs.evaluate(EvaluateCall(origin.call, sizes, given, origin.nodes))
        if isinstance(answer, ExportFault):
            raise UsageError(f"{origin.file}: {answer.message}")
        outputs = {
            name: values.reshape(base.outputs[name].shape)
            for name, values in zip(origin.outputs, answer.outputs, strict=True)
        }
        return replace(base, outputs=outputs)

    async def in_float32(
        self, text: str, inputs: Mapping[str, Array], dims: Mapping[str, int], dtypes: Mapping[str, str]
    ) -> Expected:
        """Compute the outputs by the reference in float32."""
        return await self._references.in_float32(text, inputs, dims, dtypes)

    async def compare(
        self, text: str, inputs: Mapping[str, Array], outputs: Mapping[str, Array], expected: Expected
    ) -> str | None:
        """Ask the reference's own `compare`."""
        return await self._references.compare(text, inputs, outputs, expected)

    async def aclose(self) -> None:
        """Stop the references."""
        await self._references.aclose()
