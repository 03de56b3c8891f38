"""Prepares a launch: limits, parameters, symbol addresses, and one machine per batch of blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sandbox.arguments import argument_bytes
from sandbox.device import Array, Fault
from sandbox.plan import Launch, LaunchMode, Plan
from sandbox.simulator.decode.code import Code
from sandbox.simulator.execute.programs import LoadedProgram
from sandbox.simulator.execute.schedule import LOCK_STEP, Schedule
from sandbox.simulator.gpus.architecture import Architecture
from sandbox.simulator.machine.faults import Batch, FaultError
from sandbox.simulator.machine.lanes import LANES_PER_BATCH, WARP, Geometry, compress, special_registers
from sandbox.simulator.machine.memory import Arena
from sandbox.simulator.machine.state import Activation, Machine, Observer, Shared
from sandbox.simulator.machine.surroundings import Surroundings
from sandbox.simulator.ptx.types import U32, U64, constant
from sandbox.verdict import Verdict

WORKSPACE = "grid barrier@launch"
_WORKSPACE_BYTES = 64


def cluster_of(launch: Launch, code: Code) -> tuple[int, int, int]:
    """The launch's cluster, or the one compiled into the kernel (`__cluster_dims__`)."""
    return launch.cluster if launch.mode is LaunchMode.CLUSTER else code.function.cluster or (1, 1, 1)


def pack_parameters(launch: Launch, code: Code, arena: Arena) -> dict[str, bytes]:
    """The bytes of every kernel parameter.

    Raises:
        FaultError: LAUNCH_ERROR where the arguments do not fit the kernel's parameters.
    """
    parameters = code.function.parameters
    if len(parameters) != len(launch.arguments):
        message = f"{launch.kernel} takes {len(parameters)} arguments, {len(launch.arguments)} given"
        raise FaultError(Fault(Verdict.LAUNCH_ERROR, message, kernel=launch.kernel, line=launch.line))
    packed: dict[str, bytes] = {}
    for parameter, argument in zip(parameters, launch.arguments, strict=True):
        data = argument_bytes(argument, arena.address)
        if len(data) > parameter.size:
            message = (
                f"an argument of {len(data)} bytes for a parameter of {parameter.size} in {launch.kernel}"
            )
            raise FaultError(Fault(Verdict.LAUNCH_ERROR, message, kernel=launch.kernel, line=launch.line))
        packed[parameter.name] = data.ljust(parameter.size, b"\0")
    return packed


def buffer_sizes(plan: Plan, loaded: LoadedProgram) -> tuple[dict[str, int], dict[str, str]]:
    """Sizes in bytes and message labels of every buffer and every device variable that the code refers to."""
    sizes = {b.name: b.nbytes for b in plan.buffers}
    labels = {b.name: f"{b.name} ({b.dtype}[{b.size}])" for b in plan.buffers}
    for variable in loaded.device_variables:
        sizes[f"{variable.name}@module"] = variable.size
        labels[f"{variable.name}@module"] = f"device variable {variable.name} ({variable.size} bytes)"
    if any(launch.mode is LaunchMode.COOPERATIVE for launch in plan.launches):
        sizes[WORKSPACE] = _WORKSPACE_BYTES
        labels[WORKSPACE] = "the grid barrier of the cooperative launch"
    return sizes, labels


@dataclass(frozen=True)
class LaunchSetup:
    """Everything that the batches of one launch share; `number` counts the launches of the run."""

    launch: Launch
    loaded: LoadedProgram
    code: Code
    geometry: Geometry
    arena: Arena
    parameters: dict[str, bytes]
    symbols: dict[str, int]
    fill: Array
    architecture: Architecture
    surroundings: Surroundings
    number: int

    @property
    def shared_bytes(self) -> int:
        """Static and dynamic shared memory a block, bytes."""
        return self.code.shared_bytes + self.launch.shared_bytes

    def machine(self, blocks: Array, observers: tuple[Observer, ...] = ()) -> Machine:
        """A machine for a batch of linear block indices."""
        specials = special_registers(self.geometry, blocks) | self._device_registers(blocks)
        specials |= self._drawn_registers(blocks)
        return Machine(
            batch=Batch(self.launch.kernel, self.geometry, blocks),
            arena=self.arena,
            shared=self._shared(len(blocks)),
            parameters=self.parameters,
            activation=self.activation(self.code, specials, local_base=0, depth=0),
            clock=self.surroundings.clock(self.number, int(blocks[0])),
            local_bytes=self.code.local_bytes,
            memory=self._memory(blocks),
            observers=observers,
            specials=specials,
            constants=frozenset(
                f"{v.name}@module" for v in self.loaded.device_variables if v.space == "const"
            ),
            target=self.loaded.module.target,
            approximations=self.surroundings.approximations,
        )

    def activation(
        self, code: Code, specials: Mapping[str, Array], local_base: int, depth: int
    ) -> Activation:
        """Registers of a function about to run: constants, special registers and addresses filled in."""
        registers = list(code.initial)
        for name, slot in code.specials.items():
            if name in specials:
                registers[slot] = specials[name]
        for slot, (name, offset) in code.symbols.items():
            stack = self.arena.windows.local_start + local_base
            address = stack + code.local[name] if name in code.local else self._address(name)
            registers[slot] = constant(address + offset, U64)
        return Activation(code.function.name, registers, code.temporaries, local_base, depth)

    def _address(self, name: str) -> int:
        if name in self.code.shared:
            return self.arena.windows.shared_start + self.code.shared[name]
        if name not in self.symbols:
            message = f"the simulator does not know the name {name} in {self.launch.kernel}"
            raise FaultError(Fault(Verdict.UNSUPPORTED, message, kernel=self.launch.kernel))
        return self.symbols[name]

    def _device_registers(self, blocks: Array) -> dict[str, Array]:
        cooperative = self.launch.mode is LaunchMode.COOPERATIVE
        # cooperative_groups/details/memory.h reads the workspace's address from these two, high word first.
        workspace = self.arena.address(WORKSPACE) if cooperative else 0
        return {
            "%envreg1": constant(workspace >> 32, U32),
            "%envreg2": constant(workspace & 0xFFFFFFFF, U32),
            "%dynamic_smem_size": constant(self.launch.shared_bytes, U32),
            "%total_smem_size": constant(self.shared_bytes, U32),
        }

    def _drawn_registers(self, blocks: Array) -> dict[str, Array]:
        """What the run's surroundings say, of those that the program reads."""
        processors, surroundings = self.architecture.multiprocessors, self.surroundings
        slots = self.architecture.threads_per_sm // WARP
        drawn: dict[str, Callable[[], Array]] = {
            "%smid": lambda: surroundings.multiprocessor(blocks, processors).astype(U32).reshape(1, 1, -1),
            "%nsmid": lambda: constant(surroundings.multiprocessors(processors), U32),
            "%gridid": lambda: constant(surroundings.grid(self.number), U64),
            "%warpid": lambda: self._warps(int(blocks[0]), slots),
            "%nwarpid": lambda: constant(max(slots, self.geometry.warps), U32),
        }
        return {name: draw() for name, draw in drawn.items() if name in self.loaded.reads}

    def _memory(self, blocks: Array) -> Array | None:
        """Where global memory of the blocks' replicas starts; None where there is one."""
        if self.geometry.replicas == 1:
            return None
        return (blocks // self.geometry.grid_blocks * self.arena.extent).reshape(1, 1, -1)

    def _warps(self, block: int, slots: int) -> Array:
        geometry = self.geometry
        numbers = self.surroundings.warps(geometry.warps, slots, block).astype(U32)
        linear = np.arange(geometry.threads).reshape(geometry.rows, geometry.columns, 1)
        return compress(numbers[linear // WARP])

    @property
    def resident_lanes(self) -> int:
        """Threads that the device holds at once, by warps and blocks: further blocks start when others have ended.

        Runs side by side are on a device each.
        """
        of, geometry = self.architecture, self.geometry
        blocks = min(of.blocks_per_sm, of.threads_per_sm // WARP // geometry.warps)
        return of.multiprocessors * blocks * geometry.threads * geometry.replicas

    @property
    def _shared_extent(self) -> int:
        return self.shared_bytes + self.code.shared_gaps

    def _shared(self, blocks: int) -> Shared:
        code, extent = self.code, self._shared_extent
        regions = {
            name: (start, start + code.shared_sizes[name] if code.shared_sizes[name] else extent)
            for name, start in code.shared.items()
        }
        return Shared(extent, blocks, self._fill_for(blocks), regions)

    def _fill_for(self, blocks: int) -> Array:
        words = -(-max(self._shared_extent, 4) // 8) * 2 * blocks
        return self.fill if len(self.fill) >= words else np.resize(self.fill, words)


def batches(
    setup: LaunchSetup,
    chosen: Array | None = None,
    schedule: Schedule = LOCK_STEP,
    lanes: int = LANES_PER_BATCH,
) -> Iterator[Array]:
    """Linear block indices, as many at a time as run in lock step.

    A cooperative grid runs in one piece; the blocks of a cluster stay together, in the order of their rank.

    Args:
        setup: The launch.
        chosen: Blocks to run, with all others of their clusters; None for the whole grid.
        schedule: In which order. Blocks that wait for others are not divided further than they must be.
        lanes: About as many threads at a time.
    """
    geometry = setup.geometry
    order = np.arange(geometry.blocks, dtype=np.int64) if chosen is None else chosen
    size = geometry.cluster_size
    units = schedule.order(order if size == 1 else np.unique(geometry.cluster_of(order)))
    order = units if size == 1 else geometry.cluster_blocks(units).reshape(-1)
    most = max(1, lanes // geometry.threads // size)
    if setup.launch.mode is LaunchMode.COOPERATIVE:
        most = max(1, len(units))
    waits = setup.launch.mode is LaunchMode.COOPERATIVE or setup.code.uses.waits
    cuts = (LOCK_STEP if waits else schedule).cuts(len(units), most)
    for start, end in itertools.pairwise(cuts):
        yield order[start * size : end * size]
