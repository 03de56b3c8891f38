"""The worker's side of references. The code of reference.py runs here, and nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

import numpy as np

from sandbox.device import Array
from sandbox.reference.magnitude import as_float64, estimate, is_floating
from sandbox.worker.messages import CompareCall, ComparisonAnswer, Expected, ReferenceCall, ReferenceFault

_FILE = "reference.py"
_MESSAGE_CHARACTERS = 1_000

Function = Callable[..., Any]


class _ContractError(Exception):
    """reference.py breaks its contract; the text says how."""


@dataclass(frozen=True)
class ReferenceRole:
    """Role `reference`: computes expected outputs and error scales, or asks the reference's own `compare`."""

    accepts: tuple[type[Any], ...] = (ReferenceCall, CompareCall)

    def answer(self, call: ReferenceCall | CompareCall) -> Expected | ComparisonAnswer | ReferenceFault:
        """Run the reference; what it raises is an answer."""
        try:
            with np.errstate(all="ignore"):
                return _expected(call) if isinstance(call, ReferenceCall) else _comparison(call)
        except MemoryError:
            raise
        except _ContractError as error:
            return ReferenceFault(str(error), None)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a task author's code may raise anything
            return _fault(error)


def _expected(call: ReferenceCall) -> Expected:
    module = _load(call.text)
    reference = _function(module, "reference")
    if reference is None:
        raise _ContractError("it defines no function `reference`")

    def outputs_of(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return _arrays(reference(**_arguments(inputs), **call.dims), "reference")

    outputs = outputs_of(call.inputs)
    floating = {name: array for name, array in outputs.items() if array.dtype == np.float64}
    magnitude = _magnitude(module, call, floating)
    missing = floating.keys() - magnitude.keys()
    if missing:
        random = np.random.default_rng(call.seed)
        magnitude |= estimate(outputs_of, call.inputs, outputs, missing, random, call.draws)
    return Expected(outputs, magnitude, _function(module, "compare") is not None, bool(missing))


def _magnitude(module: ModuleType, call: ReferenceCall, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return what the reference's own `magnitude` gives, if it defines one."""
    function = _function(module, "magnitude")
    if function is None:
        return {}
    given = _arrays(function(**_arguments(call.inputs), **call.dims), "magnitude")
    for name, array in given.items():
        if name not in outputs or array.shape != outputs[name].shape:
            raise _ContractError(f"`magnitude` returned {name!r} of shape {array.shape}, unlike `reference`")
    return {name: np.abs(array.astype(np.float64)) for name, array in given.items()}


def _comparison(call: CompareCall) -> ComparisonAnswer:
    compare = _function(_load(call.text), "compare")
    if compare is None:
        raise _ContractError("it defines no function `compare`")
    reason = compare(_arguments(call.outputs), dict(call.expected), _arguments(call.inputs))
    if reason is not None and not isinstance(reason, str):
        raise _ContractError(f"`compare` returned {type(reason).__name__}: expected None or a reason (text)")
    return ComparisonAnswer(None if reason is None else reason[:_MESSAGE_CHARACTERS])


def _load(text: str) -> ModuleType:
    module = ModuleType("reference")
    # The one place where given code is executed: a reference is Python, and this process is confined for it.
    exec(compile(text, _FILE, "exec"), module.__dict__)
    return module


def _function(module: ModuleType, name: str) -> Function | None:
    found: object = getattr(module, name, None)
    return cast("Function", found) if callable(found) else None


def _arguments(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Return what a reference is called with: floats as float64, 0-d arrays as plain numbers."""
    wide = {name: as_float64(array) if is_floating(array) else array.copy() for name, array in arrays.items()}
    return {name: array.item() if array.ndim == 0 else array for name, array in wide.items()}


def _arrays(returned: object, function: str) -> dict[str, Array]:
    """Check a returned mapping; floats come out as float64, integers and bools as they are."""
    if not isinstance(returned, Mapping):
        raise _ContractError(
            f"`{function}` returned {type(returned).__name__}: expected a dict from output names to arrays"
        )
    outputs: dict[str, Array] = {}
    for name, value in cast("Mapping[object, object]", returned).items():
        array = np.asarray(value)
        if not isinstance(name, str) or not (array.dtype.kind in "biu" or is_floating(array)):
            raise _ContractError(f"`{function}` returned {name!r} of type {array.dtype}: expected numbers")
        outputs[name] = np.ascontiguousarray(as_float64(array)) if is_floating(array) else array
    return outputs


def _fault(error: BaseException) -> ReferenceFault:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _FILE]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return ReferenceFault(f"{type(error).__name__}: {text}"[:_MESSAGE_CHARACTERS], line)
