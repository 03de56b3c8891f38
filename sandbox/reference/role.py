"""The worker's side of references. The code of reference.py runs here, and nowhere else."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar, cast

import numpy as np

from sandbox.device import Array
from sandbox.dtypes import FLOATS
from sandbox.reference.magnitude import as_float64, as_single, estimate, is_floating
from sandbox.reference.running_error.namespace import Overlay
from sandbox.reference.running_error.precision import Untraceable, precision_of
from sandbox.reference.running_error.trace import FILE, Trace, load, trace
from sandbox.reference.torch_operators import in_single
from sandbox.worker.messages import (
    CompareCall,
    ComparisonAnswer,
    Expected,
    ReferenceAnswers,
    ReferenceCall,
    ReferenceCalls,
    ReferenceFault,
)

_MESSAGE_CHARACTERS = 1_000

Function = Callable[..., Any]
C = TypeVar("C")
T = TypeVar("T")


class _ContractError(Exception):
    """reference.py breaks its contract; the text says how."""


@dataclass(frozen=True)
class ReferenceRole:
    """Role `reference`: computes expected outputs and error scales, or asks the reference's own `compare`."""

    accepts: tuple[type[Any], ...] = (ReferenceCall, ReferenceCalls, CompareCall)

    def answer(
        self, call: ReferenceCall | ReferenceCalls | CompareCall
    ) -> Expected | ReferenceAnswers | ComparisonAnswer | ReferenceFault:
        """Run the reference; what it raises is an answer."""
        if isinstance(call, ReferenceCalls):
            return ReferenceAnswers(tuple(_answered(_expected, one) for one in call.calls))
        if isinstance(call, CompareCall):
            return _answered(_comparison, call)
        return _answered(_in_float32 if call.single else _expected, call)


def _answered(answer: Callable[[C], T], call: C) -> T | ReferenceFault:
    try:
        with np.errstate(all="ignore"):
            return answer(call)
    except MemoryError:
        raise
    except _ContractError as error:
        return ReferenceFault(str(error), None)
    except (Exception, SystemExit) as error:  # noqa: BLE001  a task author's code may raise anything
        return _fault(error)


def _expected(call: ReferenceCall) -> Expected:
    module = load(call.text)
    reference = _function(module, "reference")
    if reference is None:
        raise _ContractError("it defines no function `reference`")

    def outputs_of(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return _arrays(reference(**_plain(inputs), **call.dims), "reference")

    outputs = outputs_of(_wide(call.inputs))
    floating = {name: array for name, array in outputs.items() if array.dtype == np.float64}
    magnitude = _magnitude(module, call, floating)
    scales = dict.fromkeys(magnitude, "given")
    unknown = floating.keys() - magnitude.keys()
    missing = {name: dtype for name, dtype in call.dtypes.items() if name in unknown and dtype in FLOATS}
    traced, reason = _traced(call, outputs, missing)
    magnitude |= traced
    scales |= dict.fromkeys(traced, "traced")
    missing = {name: dtype for name, dtype in missing.items() if name not in traced}
    if missing:
        random = np.random.default_rng(call.seed)
        magnitude |= estimate(outputs_of, call.inputs, outputs, missing, random, call.draws)
        scales |= dict.fromkeys(missing, "perturbed")
    return Expected(outputs, magnitude, _function(module, "compare") is not None, scales, reason)


def _in_float32(call: ReferenceCall) -> Expected:
    """What the reference makes of float32 arrays; float64 means float32 to it, as far as it asks NumPy for it."""
    single = {"numpy": Overlay(np, dict.fromkeys(("float64", "double", "longdouble"), np.float32))}
    module = load(call.text, single)
    reference = _function(module, "reference")
    if reference is None:
        raise _ContractError("it defines no function `reference`")
    with in_single():
        outputs = _arrays(reference(**_plain(as_single(call.inputs)), **call.dims), "reference")
    return Expected(outputs, {}, _function(module, "compare") is not None, {})


def _traced(
    call: ReferenceCall, outputs: Mapping[str, Array], wanted: Mapping[str, str]
) -> tuple[dict[str, Array], str]:
    """Trace the reference once for each dtype of its outputs; say why where it cannot be."""
    scales: dict[str, Array] = {}
    for dtype in sorted(set(wanted.values())):
        names = [name for name, one in wanted.items() if one == dtype]
        try:
            found = trace(call.text, call.inputs, call.dims, precision_of(dtype, call.accumulate))
            for name in names:
                _check_values(name, found[name], outputs[name])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a reference does with arrays that are not NumPy's own
            return scales, f"{_fault(error).message}"
        scales |= {name: found[name].scale for name in names}
    return scales, ""


def _check_values(name: str, found: Trace, expected: Array) -> None:
    """Raise unless the traced run computed the same: it took the same way through the reference."""
    values = np.ascontiguousarray(
        found.values, np.float64
    )  # a plain number becomes one element, as in `expected`
    same = values.shape == expected.shape
    if same:
        near = np.abs(values - expected) <= 1e-9 * (np.abs(expected) + found.scale)
        same = bool((near | (values == expected) | (np.isnan(values) & np.isnan(expected))).all())
    if not same:
        raise Untraceable(f"traced, it computes another {name}")


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
    compare = _function(load(call.text), "compare")
    if compare is None:
        raise _ContractError("it defines no function `compare`")
    reason = compare(_arguments(call.outputs), dict(call.expected), _arguments(call.inputs))
    if reason is not None and not isinstance(reason, str):
        raise _ContractError(f"`compare` returned {type(reason).__name__}: expected None or a reason (text)")
    return ComparisonAnswer(None if reason is None else reason[:_MESSAGE_CHARACTERS])


def _function(module: ModuleType, name: str) -> Function | None:
    found: object = getattr(module, name, None)
    return cast("Function", found) if callable(found) else None


def _arguments(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Return what a reference is called with: floats as float64, 0-d arrays as plain numbers."""
    return _plain(_wide(arrays))


def _wide(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: as_float64(array) if is_floating(array) else array for name, array in arrays.items()}


def _plain(arrays: Mapping[str, Array]) -> dict[str, Any]:
    """Copy, and turn 0-d arrays into plain numbers."""
    return {name: array.item() if array.ndim == 0 else array.copy() for name, array in arrays.items()}


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
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILE]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return ReferenceFault(f"{type(error).__name__}: {text}"[:_MESSAGE_CHARACTERS], line)
