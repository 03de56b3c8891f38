"""The parent's side of references: expected outputs, computed once for the same inputs."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from sandbox.apart import apart
from sandbox.asking import LimitReached, ask_within
from sandbox.closing import AsyncClosing
from sandbox.device import Array
from sandbox.errors import MissingDependencyError, UsageError, WorkerDiedError
from sandbox.isolation.base import Isolation, WorkerSpec
from sandbox.pool import WorkerPool
from sandbox.reference.batching import Batches
from sandbox.reference.torch_operators import NEEDED, asks_for_torch
from sandbox.torch_graphs.confined import PACKAGES
from sandbox.worker.messages import CompareCall, ComparisonAnswer, Expected, ReferenceCall, ReferenceFault

T = TypeVar("T", Expected, ComparisonAnswer)

MEMORY_BYTES = 12 << 30
"""Address space of a reference worker."""

CPU_S = 120.0
"""Seconds of processor time that one answer may take."""

DRAWS = 6
_LARGE_ELEMENTS = 1 << 22
_LARGE_DRAWS = 3
_KEPT_BYTES = 64 << 20
_WAITING, _WAITING_WITH_TORCH = 4, 2
"""How many workers wait for another question about the reference that they know; it may have changed them."""


class ReferenceFailedError(UsageError):
    """reference.py failed; the text names its line and what it raised."""


class References(AsyncClosing):
    """Runs references in confined workers. Use as an async context manager, or call `aclose`."""

    def __init__(
        self,
        isolation: Isolation,
        *,
        workers: int = 1,
        memory_bytes: int = MEMORY_BYTES,
        kept_bytes: int = _KEPT_BYTES,
    ) -> None:
        """Start nothing yet.

        Args:
            isolation: How the workers are confined.
            workers: How many references may run at once.
            memory_bytes: Limit on a worker's address space.
            kept_bytes: How much of the expected outputs is kept in memory; the longest unused go first.
        """
        plain = WorkerSpec("reference", memory_bytes)
        self._pool = WorkerPool(plain, isolation, size=workers, apart=max(_WAITING, workers))
        self._isolation, self._has_torch = isolation, False
        self._torch_spec = WorkerSpec(
            "reference_torch", memory_bytes, packages=PACKAGES, system=("/dev/urandom",)
        )
        self._with_torch = WorkerPool(self._torch_spec, isolation, apart=_WAITING_WITH_TORCH)
        self._batches = {pool: Batches(pool, self._alone) for pool in (self._pool, self._with_torch)}
        self._memory_bytes = memory_bytes
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[str, Expected] = OrderedDict()
        self._total = 0

    async def expected(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        accumulate: str | None = None,
        seed: int = 0,
        cpu_s: float = CPU_S,
    ) -> Expected:
        """Compute what the outputs should be, and the scale of their error bound.

        Args:
            text: The whole of reference.py.
            inputs: In and inout arrays in their dtype and task shape, and scalars as 0-d arrays.
            dims: Values of the task's dims.
            dtypes: The outputs that the task wants, and their dtypes. For floating ones the answer is
                float64; for integers it is what the reference returned (float64 too, if it did).
            accumulate: The dtype that sums of half precision outputs may be accumulated in; None for float32.
            seed: Seed of the perturbations behind a magnitude that can be neither read nor traced.
            cpu_s: Seconds of processor time.

        Raises:
            ReferenceFailedError: The reference raised, took too long, or returned something else.
            WorkerError: The environment failed.
        """
        nbytes = sum(array.nbytes for array in inputs.values())
        key = await apart(nbytes, _key, text, inputs, dims, dtypes, accumulate, seed)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        size = sum(array.size for array in inputs.values())
        draws = DRAWS if size < _LARGE_ELEMENTS else _LARGE_DRAWS
        floating = {name: dtype for name, dtype in dtypes.items() if "float" in dtype}
        call = ReferenceCall(text, dict(inputs), dict(dims), floating, draws, seed, accumulate)
        batches = self._batches[self._pool_of(text)]
        asked = batches.answer(call) if cpu_s == CPU_S else self._alone(call, cpu_s)
        answer = self._answered(await asked, cpu_s)
        given = sum(array.nbytes for array in answer.outputs.values())
        expected = await apart(given, _checked, answer, dtypes)
        self._keep(key, expected)
        return expected

    async def in_float32(
        self,
        text: str,
        inputs: Mapping[str, Array],
        dims: Mapping[str, int],
        dtypes: Mapping[str, str],
        *,
        cpu_s: float = CPU_S,
    ) -> Expected:
        """Compute the outputs with float32 in the place of float64, without any scale; for the rest see `expected`.

        Raises:
            ReferenceFailedError: The reference raised, took too long, or returned something else.
            WorkerError: The environment failed.
        """
        call = ReferenceCall(text, dict(inputs), dict(dims), dict(dtypes), 0, 0, single=True)
        return _checked(await self._ask(call, Expected, cpu_s), dtypes)

    async def compare(
        self,
        text: str,
        inputs: Mapping[str, Array],
        outputs: Mapping[str, Array],
        expected: Expected,
        *,
        cpu_s: float = CPU_S,
    ) -> str | None:
        """Ask the reference's own `compare`; None where the outputs are right, else the reason.

        Raises:
            ReferenceFailedError: It raised, took too long, or returned something else.
            WorkerError: The environment failed.
        """
        call = CompareCall(text, dict(inputs), dict(outputs), expected.outputs)
        return (await self._ask(call, ComparisonAnswer, cpu_s)).reason

    async def warm(self) -> None:
        """Start a worker ahead of the first call."""
        await self._pool.warm()

    async def aclose(self) -> None:
        """Stop the workers; safe to call twice."""
        await self._pool.aclose()
        await self._with_torch.aclose()

    def _pool_of(self, text: str) -> WorkerPool:
        """The workers for a reference: those with PyTorch only where it asks for that."""
        if not asks_for_torch(text):
            return self._pool
        if not self._has_torch:
            self._require_torch()
            self._has_torch = True
        return self._with_torch

    def _require_torch(self) -> None:
        if importlib.util.find_spec("torch") is None:
            raise MissingDependencyError(NEEDED)
        try:
            self._isolation.command(self._torch_spec, 0)
        except MissingDependencyError as error:
            raise MissingDependencyError(
                f"this task's reference asks PyTorch's own operators, which isolation {self._isolation.name} cannot"
                f" give it; bubblewrap and process can, where PyTorch is installed ({error})"
            ) from None

    async def _alone(
        self, call: ReferenceCall, cpu_s: float = CPU_S
    ) -> Expected | ReferenceFault | LimitReached:
        pool = self._pool_of(call.text)
        return await ask_within(cpu_s, pool, call, Expected, ReferenceFault, about=call.text)

    async def _ask(self, call: ReferenceCall | CompareCall, kind: type[T], cpu_s: float) -> T:
        pool = self._pool_of(call.text)
        reply = await ask_within(cpu_s, pool, call, kind, ReferenceFault, about=call.text)
        return self._answered(reply, cpu_s)

    def _answered(self, reply: T | ReferenceFault | LimitReached, cpu_s: float) -> T:
        if isinstance(reply, LimitReached):
            if reply.limit == "processor time":
                raise ReferenceFailedError(
                    f"reference.py did not finish within {cpu_s:g} s of processor time"
                )
            if reply.limit != "memory":
                # The machine's fault, or that of a reference that sleeps: whoever asks may try again.
                raise WorkerDiedError(f"the worker of reference.py was lost: {reply.said}")
            limit = self._memory_bytes / (1 << 30)
            raise ReferenceFailedError(f"reference.py needs more than {limit:g} GiB of memory")
        if isinstance(reply, ReferenceFault):
            place = "reference.py" if reply.line is None else f"reference.py, line {reply.line}"
            raise ReferenceFailedError(f"{place}: {reply.message}")
        return reply

    def _keep(self, key: str, expected: Expected) -> None:
        for array in (*expected.outputs.values(), *expected.magnitude.values()):
            array.flags.writeable = False
        self._drop(self._kept.pop(key, None))  # another call may have asked at the same time
        self._kept[key] = expected
        self._total += _bytes(expected)
        while self._total > self._kept_bytes:
            self._drop(self._kept.popitem(last=False)[1])

    def _drop(self, expected: Expected | None) -> None:
        self._total -= 0 if expected is None else _bytes(expected)


def _checked(expected: Expected, dtypes: Mapping[str, str]) -> Expected:
    returned, wanted = set(expected.outputs), set(dtypes)
    if returned != wanted:
        raise ReferenceFailedError(
            f"reference.py returned {', '.join(sorted(returned)) or 'nothing'}: "
            f"expected {', '.join(sorted(wanted))}"
        )
    outputs = dict(expected.outputs)
    magnitude, scales = dict(expected.magnitude), dict(expected.scales)
    for name, dtype in dtypes.items():
        if "float" in dtype and outputs[name].dtype != np.float64:
            outputs[name] = outputs[name].astype(np.float64)
            magnitude[name], scales[name] = np.abs(outputs[name]), "traced"
        if name in magnitude and magnitude[name].shape != outputs[name].shape:
            raise ReferenceFailedError(f"reference.py gave {name} a magnitude of another shape")
    return Expected(outputs, magnitude, expected.has_compare, scales, expected.untraced)


def _bytes(expected: Expected) -> int:
    return sum(array.nbytes for array in (*expected.outputs.values(), *expected.magnitude.values()))


def _key(
    text: str,
    inputs: Mapping[str, Array],
    dims: Mapping[str, int],
    dtypes: Mapping[str, str],
    accumulate: str | None,
    seed: int,
) -> str:
    shapes = [[name, array.dtype.name, list(array.shape)] for name, array in sorted(inputs.items())]
    parts = [text, sorted(dims.items()), sorted(dtypes.items()), accumulate, seed, shapes]
    digest = hashlib.sha256(json.dumps(parts).encode())
    for _, array in sorted(inputs.items()):
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
