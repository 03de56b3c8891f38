"""What a device refuses to launch, and what is too large to be run whole."""

from __future__ import annotations

from sandbox.device import Fault
from sandbox.plan import Launch, LaunchMode
from sandbox.simulator.decode.code import Code
from sandbox.simulator.execute.launching import LaunchSetup, cluster_of
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.gpus.occupancy import occupancy
from sandbox.simulator.machine.faults import FaultError
from sandbox.verdict import Verdict

MAX_GRID = (2**31 - 1, 65535, 65535)
MAX_BLOCK = (1024, 1024, 64)
MAX_THREADS = 1024
MAX_CLUSTER = 8
_FEW_REGISTERS = 32
MAX_WHOLE = 1 << 22
"""Blocks of a launch that is run whole: what is remembered of each must fit the worker's memory."""


def check_whole(setup: LaunchSetup) -> None:
    """Refuse to run every block of a launch that is too large for that.

    Raises:
        FaultError: UNSUPPORTED.
    """
    launch, blocks = setup.launch, setup.geometry.blocks
    if blocks > MAX_WHOLE:
        what = (
            f"the grid at line {launch.line} has {blocks} blocks; the simulator runs {MAX_WHOLE} of a launch"
        )
        raise FaultError(Fault(Verdict.UNSUPPORTED, what, kernel=launch.kernel, line=launch.line))


def check_limits(launch: Launch, code: Code, architecture: Architecture) -> None:
    """Refuse what the device would refuse (CUDA C++ Programming Guide, "Compute Capabilities", technical table).

    Raises:
        FaultError: LAUNCH_ERROR.
    """
    problem = ""
    threads = launch.block_threads
    shared = code.shared_bytes + launch.shared_bytes
    if min(*launch.grid, *launch.block) < 1:
        problem = f"empty launch: grid {launch.grid}, block {launch.block}"
    elif any(size > limit for size, limit in zip(launch.grid, MAX_GRID, strict=True)):
        problem = f"grid {launch.grid} is larger than {MAX_GRID}"
    elif threads > MAX_THREADS or any(
        size > limit for size, limit in zip(launch.block, MAX_BLOCK, strict=True)
    ):
        problem = (
            f"block {launch.block} has {threads} threads; the limits are {MAX_THREADS} in all and {MAX_BLOCK}"
        )
    elif launch.shared_bytes < 0 or shared > architecture.shared_per_block:
        problem = f"{shared} bytes of shared memory a block; the limit is {architecture.shared_per_block}"
    else:
        problem = _bounds_problem(launch, code) or _cluster_problem(launch, code, architecture)
    if problem:
        message = f"the device refuses the launch at line {launch.line}: {problem}"
        raise FaultError(Fault(Verdict.LAUNCH_ERROR, message, kernel=launch.kernel, line=launch.line))


def _bounds_problem(launch: Launch, code: Code) -> str:
    """CUDA C++ Programming Guide, "Launch Bounds": a launch with more threads than that fails."""
    threads = launch.block_threads
    most, exact = code.function.most_threads, code.function.block
    if most is not None and threads > most:
        return f"block {launch.block} has {threads} threads; the kernel's launch bounds allow {most}"
    if exact is not None and launch.block != exact:
        return f"block {launch.block}; the kernel was compiled for blocks of {exact}"
    return ""


def _cluster_problem(launch: Launch, code: Code, architecture: Architecture) -> str:
    """CUDA C++ Programming Guide, "Thread Block Clusters": 8 blocks are portable, 16 the most."""
    cluster = cluster_of(launch, code)
    size = cluster[0] * cluster[1] * cluster[2]
    if size == 1:
        return ""
    if int(architecture.compute.removeprefix("sm_").rstrip("af")) < 90:
        return f"clusters need compute capability 9.0; {architecture.name} is {architecture.compute}"
    if min(cluster) < 1 or size > MAX_CLUSTER:
        return f"cluster {cluster} has {size} blocks; the limit is {MAX_CLUSTER}"
    if any(blocks % each for blocks, each in zip(launch.grid, cluster, strict=True)):
        return f"cluster {cluster} does not divide the grid {launch.grid}"
    compiled = code.function.cluster
    if compiled and launch.mode is LaunchMode.CLUSTER and compiled != cluster:
        return f"cluster {cluster} given, but the kernel was compiled for {compiled}"
    return ""


def check_resident(setup: LaunchSetup) -> None:
    """A block's registers must fit a multiprocessor, and a cooperative grid the device.

    The same guide: the table's "32-bit registers per thread block", and "Grid Synchronization". Of a program that was
    not assembled nobody knows the registers; it fits in a few.

    Raises:
        FaultError: LAUNCH_ERROR.
    """
    launch, architecture, geometry = setup.launch, setup.architecture, setup.geometry
    known = (r.registers for r in setup.loaded.program.resources if r.name == launch.kernel)
    registers = next(known, _FEW_REGISTERS)
    room = occupancy(architecture, geometry.threads, registers, setup.shared_bytes)
    most = room.blocks * architecture.multiprocessors
    problem = ""
    if not room.limits["registers"]:
        problem = (
            f"{registers} registers for each of a block's {geometry.threads} threads are more than the "
            f"{architecture.registers_per_sm} of a multiprocessor; fewer threads, or "
            f"__launch_bounds__({geometry.threads}), which bids the compiler use fewer registers"
        )
    elif launch.mode is LaunchMode.COOPERATIVE and geometry.grid_blocks > most:
        problem = f"a cooperative grid of {geometry.grid_blocks} blocks; at most {most} are resident at once"
    if problem:
        message = f"the device refuses the launch at line {launch.line}: {problem}"
        raise FaultError(Fault(Verdict.LAUNCH_ERROR, message, kernel=launch.kernel, line=launch.line))
