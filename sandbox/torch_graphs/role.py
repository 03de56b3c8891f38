"""The worker's side of exports: files run here, and nowhere else."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.torch_graphs.captured import read_captured
from sandbox.torch_graphs.exporting import ExportedProgram, export, run, run_part
from sandbox.torch_graphs.graph import (
    CapturedCall,
    CapturedTensors,
    EvaluateCall,
    Evaluated,
    ExportCall,
    ExportFault,
    FittingSizes,
    InputOrigin,
    SizesCall,
    TorchGraph,
)
from sandbox.torch_graphs.loading import FileFault
from sandbox.torch_graphs.reading import read
from sandbox.torch_graphs.sizing import Sizing

torch: Any = importlib.import_module("torch")

_REMEMBERED = 4


@dataclass(frozen=True)
class TorchRole:
    """Role `torch`: exports PyTorch functions, and computes what was exported."""

    accepts: tuple[type[Any], ...] = (ExportCall, EvaluateCall, SizesCall, CapturedCall)
    known: dict[ExportCall, tuple[ExportedProgram, Sizing]] = field(default_factory=dict[Any, Any])

    def answer(
        self, call: ExportCall | EvaluateCall | SizesCall | CapturedCall
    ) -> TorchGraph | Evaluated | FittingSizes | CapturedTensors | ExportFault:
        """Export, compute, say which sizes fit, or read tensors; what the file does wrong is an answer."""
        warnings.simplefilter("ignore")
        try:
            if isinstance(call, CapturedCall):
                return read_captured(call)
            if isinstance(call, ExportCall):
                exported, sizing = self._exported(call)
                return read(exported, sizing, call.file)
            exported, sizing = self._exported(call.exported)
            if isinstance(call, SizesCall):
                return FittingSizes(tuple(sizing.fits(one) for one in call.sizes))
            return _evaluated(call, exported, sizing)
        except FileFault as fault:
            return fault.fault

    def _exported(self, call: ExportCall) -> tuple[ExportedProgram, Sizing]:
        if call not in self.known:
            exported = export(call)
            self.known[call] = (exported, Sizing(exported))
            if len(self.known) > _REMEMBERED:
                del self.known[next(iter(self.known))]
        return self.known[call]


def _evaluated(call: EvaluateCall, exported: ExportedProgram, sizing: Sizing) -> Evaluated:
    arguments: dict[str, Any] = {}
    graph = read(exported, sizing, call.exported.file, whole=True)
    for one in graph.inputs:
        if call.outputs and one.origin is not InputOrigin.CONSTANT and one.name not in call.inputs:
            continue
        array = one.values if one.origin is InputOrigin.CONSTANT else call.inputs.get(one.name)
        if array is None and one.origin is InputOrigin.CONSTANT:
            raise FileFault(f"{one.path} has no values")
        if array is None:  # nothing reads it
            example = next(node.meta["val"] for node in exported.program.graph.nodes if node.name == one.name)
            arguments[one.name] = torch.zeros(sizing.shape(example, call.sizes), dtype=example.dtype)
            continue
        arguments[one.name] = _tensor(array)
    try:
        if call.outputs:
            arguments |= {name: _tensor(array) for name, array in call.inputs.items()}
            found = run_part(
                exported.program, arguments, call.outputs, lambda value: sizing.size(value, call.sizes)
            )
        else:
            found = run(exported.program, arguments)
    except Exception as error:  # noqa: BLE001  the file's own operators may raise anything
        raise FileFault(f"computing it at {dict(call.sizes)}: {type(error).__name__}: {error}") from None
    return Evaluated(tuple(_array(one) for one in found))


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _array(tensor: Any) -> np.ndarray[Any, Any]:
    wide = tensor.double() if tensor.is_floating_point() else tensor
    return np.array(wide.contiguous().numpy())
