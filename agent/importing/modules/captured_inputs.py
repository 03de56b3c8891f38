"""Tensors that a user captured, as example inputs: what is in their file, and examples of the same sizes and kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.importing.modules.example_inputs import FUNCTION
from sandbox.device import Array
from sandbox.errors import UsageError
from sandbox.torch_graphs.graph import CapturedCall, CapturedTensor, ExportFault, TorchGraph
from sandbox.torch_graphs.service import TorchGraphs

SUFFIXES = (".npz", ".npy", ".pt", ".pth")
"""Of files that are read: NumPy's, and what torch.save writes of tensors."""
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class CapturedInputs:
    """What a file holds.

    Attributes:
        named: Whether the tensors have names of their own; else they are in the function's order.
    """

    file: str
    tensors: tuple[CapturedTensor, ...]
    named: bool

    @property
    def examples(self) -> str:
        """Text of a function that makes inputs of the same sizes, drawn from about the same values."""
        items = [_example(one) for one in self.tensors]
        if not self.named:
            made = f"[{', '.join(items)}]"
        else:
            pairs = zip(self.tensors, items, strict=True)
            made = f"{{{', '.join(f'{one.name!r}: {item}' for one, item in pairs)}}}"
        return f"\n\ndef {FUNCTION}():\n    import torch\n\n    return {made}\n"

    def by_path(self, graph: TorchGraph) -> Mapping[str, CapturedTensor]:
        """Return the tensors by what an exported graph calls its inputs."""
        names = [one.name for one in self.tensors] if self.named else graph.examples
        return dict(zip(names, self.tensors, strict=False))


def names_a_file(examples: str | None) -> bool:
    """Whether example inputs are said by a file."""
    if examples is None or examples.isidentifier():
        return False
    try:
        return Path(examples).suffix in (*SUFFIXES, ".safetensors") or Path(examples).is_file()
    except (OSError, ValueError):
        return False


async def read_inputs(path: Path, graphs: TorchGraphs) -> CapturedInputs:
    """Read a file of captured tensors, in a worker.

    Raises:
        UsageError: It cannot be read, or holds no tensors.
        WorkerError: The environment failed.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"{path}: expected tensors in a file of numpy.savez or numpy.save ({', '.join(SUFFIXES[:2])}) or of"
            f" torch.save ({', '.join(SUFFIXES[2:])}); numpy.savez(FILE, **tensors) makes one of any other"
        )
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if size > _MOST_BYTES:
        raise UsageError(
            f"{path}: expected at most {_MOST_BYTES >> 30} GiB of tensors, found {size / 2**30:.1f}"
        )
    found = await graphs.captured(CapturedCall(path.name, data))
    if isinstance(found, ExportFault):
        raise UsageError(f"{path}: {found.message}")
    if empty := [one.name for one in found.tensors if not one.values.size]:
        raise UsageError(f"{path}: expected values, found none in {empty[0]}")
    if not found.tensors:
        raise UsageError(f"{path}: expected tensors, found none")
    return CapturedInputs(str(path), found.tensors, found.named)


def _example(one: CapturedTensor) -> str:
    values = one.values
    if one.plain:
        return repr(values.item())
    shape = f"({''.join(f'{side}, ' for side in values.shape)})"
    dtype = f"dtype=torch.{values.dtype.name}"
    if "float" not in values.dtype.name:
        low, high = int(values.min()), int(values.max())
        if low == high:
            return f"torch.full({shape}, {bool(low) if values.dtype.name == 'bool' else low}, {dtype})"
        return f"torch.randint({low}, {high + 1}, {shape}, {dtype})"
    return _floating(values, shape, dtype)


def _floating(values: Array, shape: str, dtype: str) -> str:
    """Numbers of one sign are drawn between their ends, others around their mean."""
    wide = values.astype(np.float64).reshape(-1)
    finite = wide[np.isfinite(wide)]
    if not finite.size or finite.min() == finite.max():
        value = _short(finite.flat[0]) if finite.size else 0.0
        return f"torch.full({shape}, {value}, {dtype})"
    low, high = _short(finite.min()), _short(finite.max())
    if (low >= 0 or high <= 0) and low < high:
        return f"torch.rand({shape}, {dtype}) * {high - low!r} + {low}"
    return f"torch.randn({shape}, {dtype}) * {_short(finite.std())} + {_short(finite.mean())}"


def _short(value: float) -> float:
    return float(f"{value:.3g}")
