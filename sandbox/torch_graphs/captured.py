"""Files of captured tensors, NumPy's and PyTorch's own, read in the worker; nothing that they hold is run."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.torch_graphs.graph import CapturedCall, CapturedTensor, CapturedTensors
from sandbox.torch_graphs.loading import FileFault

torch: Any = importlib.import_module("torch")

_PLACE = re.compile(r"arr_\d+")
"""What numpy.savez calls arrays that it was given without names."""


def read_captured(call: CapturedCall) -> CapturedTensors:
    """Read a file.

    Raises:
        FileFault: It is not what its ending says, or holds something else than tensors and numbers.
    """
    try:
        if call.file.endswith((".npz", ".npy")):
            return _of_numpy(np.load(io.BytesIO(call.data), allow_pickle=False))
        found = torch.load(io.BytesIO(call.data), map_location="cpu", weights_only=True)
    except (MemoryError, FileFault):
        raise
    except Exception as error:  # noqa: BLE001  readers of broken files raise anything
        said = str(error).strip().partition("\n")[0]
        raise FileFault(f"expected tensors, as numpy.savez or torch.save writes them: {said}") from None
    return _of_torch(found)


def _of_numpy(found: Any) -> CapturedTensors:
    if isinstance(found, np.ndarray):
        return CapturedTensors((_array("0", cast("np.ndarray[Any, Any]", found)),), named=False)
    arrays = [(str(name), found[name]) for name in found.files]
    if arrays and all(_PLACE.fullmatch(name) for name, _ in arrays):
        listed = enumerate(array for _, array in arrays)
        return CapturedTensors(tuple(_array(str(place), array) for place, array in listed), named=False)
    return CapturedTensors(tuple(_array(name, array) for name, array in arrays), named=True)


def _array(name: str, array: np.ndarray[Any, Any]) -> CapturedTensor:
    if array.dtype == np.dtype("V2"):  # so NumPy writes bfloat16
        array = array.view(numpy_dtype("bfloat16"))
    if array.dtype.name not in DTYPE_BYTES:
        raise _no_dtype(name, array.dtype.name)
    return CapturedTensor(name, array.astype(array.dtype.newbyteorder("="), order="C"), not array.ndim)


def _of_torch(found: Any) -> CapturedTensors:
    if isinstance(found, Mapping):
        items = cast("Mapping[object, Any]", found).items()
        return CapturedTensors(tuple(_tensor(str(name), value) for name, value in items), named=True)
    listed = [found] if isinstance(found, torch.Tensor) else found
    if not isinstance(listed, list | tuple):
        raise FileFault(f"expected a tensor, or a list or dict of tensors, found {type(found).__name__}")
    values = enumerate(cast("Sequence[Any]", listed))
    return CapturedTensors(tuple(_tensor(str(place), value) for place, value in values), named=False)


def _tensor(name: str, value: Any) -> CapturedTensor:
    if isinstance(value, bool | int | float):
        return CapturedTensor(name, np.asarray(value), plain=True)
    if not isinstance(value, torch.Tensor):
        raise FileFault(f"expected tensors and numbers, found {type(value).__name__} for {name}")
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype not in DTYPE_BYTES or value.layout is not torch.strided:
        raise _no_dtype(name, dtype if value.layout is torch.strided else f"{value.layout}")
    plain = value.detach().resolve_conj().contiguous()
    if dtype == "bfloat16":
        return CapturedTensor(name, np.array(plain.view(torch.int16).numpy()).view(numpy_dtype(dtype)))
    return CapturedTensor(name, np.array(plain.numpy()))


def _no_dtype(name: str, found: str) -> FileFault:
    return FileFault(f"expected one of {', '.join(DTYPE_BYTES)} for {name}, found {found}")
