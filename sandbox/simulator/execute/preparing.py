"""Makes a launch ready to run: held against the limits, its parameters packed, its symbols resolved."""

from __future__ import annotations

import numpy as np

from sandbox.plan import Launch
from sandbox.poison import poison_bytes
from sandbox.simulator.execute.launching import LaunchSetup, cluster_of, pack_parameters
from sandbox.simulator.execute.limits import check_limits, check_resident
from sandbox.simulator.execute.programs import LoadedProgram
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.machine.lanes import Geometry
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.surroundings import Surroundings

_FILL_WORDS = 1 << 14


def prepare(
    loaded: LoadedProgram,
    launch: Launch,
    arena: Arena,
    surroundings: Surroundings,
    architecture: Architecture,
    *,
    number: int = 0,
) -> LaunchSetup:
    """Check a launch, the `number`th of its plan from 0, and resolve its parameters and symbols.

    Raises:
        FaultError: LAUNCH_ERROR or UNSUPPORTED.
    """
    code = loaded.kernel(launch.kernel)
    check_limits(launch, code, architecture)
    setup = LaunchSetup(
        launch=launch,
        loaded=loaded,
        code=code,
        geometry=Geometry(launch.grid, launch.block, cluster_of(launch, code), arena.replicas),
        arena=arena,
        parameters=pack_parameters(launch, code, arena),
        symbols=loaded.function_addresses(arena.windows.functions)
        | {v.name: arena.address(f"{v.name}@module") for v in loaded.device_variables},
        fill=poison_bytes(surroundings.seed, "shared memory", 4 * _FILL_WORDS).view(np.uint32),
        architecture=architecture,
        surroundings=surroundings,
        number=number,
    )
    check_resident(setup)
    return setup
