"""Runs of a sample of blocks at their full size: which blocks, and whether what they write is their own."""

from __future__ import annotations

import numpy as np

from sandbox.device import Array, Fault
from sandbox.plan import LaunchMode, Plan
from sandbox.simulator.execute.launching import LaunchSetup
from sandbox.simulator.execute.programs import LoadedProgram
from sandbox.simulator.machine.faults import FaultError
from sandbox.simulator.ptx.syntax import Instruction
from sandbox.verdict import Verdict

_OWN = frozenset({"shared", "shared::cta"})


def check_told(plan: Plan, loaded: LoadedProgram) -> None:
    """Refuse a plan of which some blocks alone tell nothing: what they write depends on the others.

    Raises:
        FaultError: UNDECIDED, with the reason.
    """
    reason = _reason(plan, loaded)
    if reason:
        what = f"a sample of blocks tells nothing: {reason}"
        raise FaultError(Fault(Verdict.UNDECIDED, what))


def _reason(plan: Plan, loaded: LoadedProgram) -> str:
    count = len(plan.launches)
    if count > 1:
        return f"{count} launches build on each other"
    if plan.launches[0].mode is LaunchMode.COOPERATIVE:
        return "the blocks of a cooperative grid wait for each other"
    bodies = (function.body for function in loaded.module.functions.values())
    shared = next((one for body in bodies for one in body if _meets_others(one)), None)
    if shared is not None:
        return f"blocks work together by atomic operations (line {shared.line})"
    return "blocks wait for flags of others" if loaded.kernel(plan.launches[0].kernel).uses.flags else ""


def _meets_others(instruction: Instruction) -> bool:
    reduces = instruction.opcode == "cp" and "reduce" in instruction.modifiers
    return reduces or (instruction.opcode in {"atom", "red"} and not _OWN & set(instruction.modifiers))


def drawn_blocks(setup: LaunchSetup, most: int, seed: int) -> Array:
    """Linear indices of blocks to run, whole clusters: the first, the last, and others that the seed draws."""
    geometry = setup.geometry
    units = geometry.blocks // geometry.cluster_size
    drawn = np.random.default_rng(seed).integers(0, units, max(0, most // geometry.cluster_size - 2))
    chosen = np.unique(np.concatenate([[0, units - 1], drawn])).astype(np.int64)
    return geometry.cluster_blocks(chosen).reshape(-1)
