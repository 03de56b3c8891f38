"""What the memory of a run holds: filled before it, watched meanwhile, read after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sandbox.device import Array
from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import Plan, Role
from sandbox.poison import poison_bytes
from sandbox.simulator.execute.launching import buffer_sizes
from sandbox.simulator.execute.programs import LoadedProgram
from sandbox.simulator.hazards.shadow import Watched, watch
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.surroundings import Surroundings


def fill(
    plan: Plan,
    loaded: LoadedProgram,
    inputs: Sequence[Mapping[str, Array]],
    surroundings: Surroundings,
    *,
    inverted: bool,
) -> Arena:
    """A fresh arena: inputs copied in, outputs and scratch poisoned, device globals at their initial image.

    Each of the inputs has a replica of all that.
    """
    arena = Arena(*buffer_sizes(plan, loaded), surroundings, len(inputs))
    for buffer in plan.buffers:
        target = arena.buffers(buffer.name)
        if buffer.role in {Role.IN, Role.INOUT}:
            for row, own in zip(target, inputs, strict=True):
                row[:] = np.ascontiguousarray(own[buffer.name]).reshape(-1).view(np.uint8)
        else:
            poison = poison_bytes(surroundings.seed, buffer.name, buffer.nbytes)
            np.bitwise_xor(poison, np.uint8(0xFF if inverted else 0), out=target)
    initialise_globals(arena, loaded)
    for variable in loaded.device_variables:
        rows = arena.buffers(f"{variable.name}@module")
        rows[1:] = rows[0]
    for row, own in enumerate(inputs):
        fill_constants(arena, plan, own, row)
    return arena


def fill_constants(arena: Arena, plan: Plan, inputs: Mapping[str, Array], replica: int = 0) -> None:
    """Write inputs to the constant arrays that hold them; arrays that no code reads are not there."""
    for one in plan.constants:
        place = f"{one.symbol}@module"
        if place in arena.allocations:
            given = np.ascontiguousarray(inputs[one.buffer]).reshape(-1).view(np.uint8)
            target = arena.buffers(place)[replica]
            size = min(target.size, given.size)
            target[:size] = given[:size]


def initialise_globals(arena: Arena, loaded: LoadedProgram) -> None:
    """Write the initial image of every device global; addresses in initialisers are resolved."""
    functions = loaded.function_addresses(arena.windows.functions)
    for variable in loaded.device_variables:
        if variable.initial is None:
            continue
        target = arena.buffer(f"{variable.name}@module")
        target[:] = np.frombuffer(variable.initial, dtype=np.uint8)
        for offset, symbol in variable.references:
            base = int.from_bytes(target[offset : offset + 8].tobytes(), "little")
            address = base + (functions[symbol] if symbol in functions else arena.address(f"{symbol}@module"))
            target[offset : offset + 8] = np.frombuffer(address.to_bytes(8, "little"), dtype=np.uint8)


def read(arena: Arena, plan: Plan, roles: set[Role], replica: int) -> dict[str, Array]:
    """Buffers of a run that has ended, in their dtypes: nobody writes to their memory any more."""
    return {
        buffer.name: arena.buffers(buffer.name)[replica].view(numpy_dtype(buffer.dtype))
        for buffer in plan.buffers
        if buffer.role in roles
    }


def watched(plan: Plan, loaded: LoadedProgram, arena: Arena) -> dict[str, Watched]:
    """Shadows of the buffers that kernels may write; inputs they may not."""
    return {
        buffer.name: watch(
            arena.allocations[buffer.name].start,
            buffer.nbytes,
            DTYPE_BYTES[buffer.dtype],
            written=buffer.role is Role.INOUT,
            replicas=arena.replicas,
        )
        for buffer in plan.buffers
        if buffer.role is not Role.IN
    } | _watch_variables(loaded, arena)


def _watch_variables(loaded: LoadedProgram, arena: Arena) -> dict[str, Watched]:
    """Shadows of device variables; those without an initial image are zero."""
    variables = [v for v in loaded.device_variables if v.space == "global" and v.name[0] != "$"]
    return {
        f"{v.name}@module": watch(
            arena.allocations[f"{v.name}@module"].start,
            v.size,
            min(4, v.align),
            written=True,
            replicas=arena.replicas,
        )
        for v in variables
    }
