"""A plan that is run again and again to be timed: its buffers, its prepared launches, and what its runs left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sandbox.cuda.buffers import Array, Placed, as_bytes
from sandbox.cuda.driver import Driver, DriverError
from sandbox.cuda.harness import WORD, Harness
from sandbox.cuda.loading import Loaded, Prepared, RefusedError, refusal
from sandbox.cuda.running import allocated, guard_fault
from sandbox.device import Fault
from sandbox.plan import Launch, Role
from sandbox.timing.measured import TimedOutput, TimedPlan
from sandbox.verdict import Verdict

GIVEN = frozenset({Role.IN, Role.INOUT})
WRITTEN = frozenset({Role.OUT, Role.INOUT})


class InputSets:
    """Sets of inputs in device memory, to be copied from before every run."""

    def __init__(self, driver: Driver, harness: Harness, sets: Sequence[Mapping[str, Array]]) -> None:
        """Copy them there.

        Raises:
            RefusedError: The GPU has not enough memory.
        """
        self._driver = driver
        self._harness = harness
        self._places: list[dict[str, tuple[int, int]]] = []
        try:
            for given in sets:
                self._places.append({})
                for name, data in given.items():
                    self._place(name, data)
        except DriverError as error:
            raise refusal(error, "the sets of inputs do not fit the GPU", None) from error

    def _place(self, name: str, data: Array) -> None:
        raw = as_bytes(data)
        address = self._driver.allocate(-(-raw.size // WORD) * WORD)
        self._places[-1][name] = (address, raw.size)
        self._driver.to_device(address, raw)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._places)

    def restore(self, index: int, name: str, target: int) -> None:
        """Copy an input of a set; asynchronous."""
        source, size = self._places[index][name]
        self._driver.copy(target, source, size)

    def digest(self, index: int, name: str, seed: int) -> int:
        """Return the digest of an input's whole words."""
        address, size = self._places[index][name]
        return self._harness.digest(address, size // WORD * WORD, seed)

    def release(self) -> None:
        """Overwrite all and give it back."""
        for places in self._places:
            for address, size in places.values():
                self._harness.fill(address, -(-size // WORD) * WORD, address)
                self._driver.free(address)
        self._places = []


@dataclass
class _Left:
    """What runs on one set of inputs left: how many runs by digest, and the values of the first of them."""

    runs: dict[tuple[int, ...], int]
    values: dict[tuple[int, ...], dict[str, Array]]


class RepeatedPlan:
    """A plan in place. A failure names it by `RefusedError`."""

    def __init__(
        self, driver: Driver, harness: Harness, timed: TimedPlan, sets: InputSets, secret: int, guard: int, kept: int
    ) -> None:  # fmt: skip
        """Load the program and place the buffers.

        Args:
            driver: The GPU.
            harness: Its harness kernels.
            timed: What to run.
            sets: The inputs.
            secret: Seed of guard zones and digests.
            guard: Bytes of a guard zone.
            kept: Most outputs to keep.

        Raises:
            RefusedError: The device cannot run it.
        """
        self._driver = driver
        self._harness = harness
        self._timed = timed
        self._sets = sets
        self._secret = secret
        self._kept = kept
        self._loaded = Loaded(driver, timed.program)
        self._buffers = allocated(driver, harness, timed.plan, secret, guard)
        self._buffers.seal()
        self._launches = self._prepared()
        self._left = [_Left({}, {}) for _ in range(len(sets))]
        self._inputs = [
            tuple(sets.digest(index, one.spec.name, secret) for one in self._of({Role.IN}))
            for index in range(len(sets))
        ]

    @property
    def changes_its_inputs(self) -> bool:
        """Whether a second run right after the first would see other inputs."""
        return any(self._of({Role.INOUT}))

    @property
    def shape(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Grid and block of the first launch."""
        first = self._timed.plan.launches[0]
        return first.grid, first.block

    def make_ready(self, index: int, poison: int) -> None:
        """Put inputs of a set, poison and device globals in place; asynchronous."""
        if self._timed.program.globals_bytes:
            self._loaded.reload()
            self._launches = self._prepared()
        for place, placed in enumerate(self._buffers.placed.values()):
            if placed.spec.role in GIVEN:
                self._sets.restore(index, placed.spec.name, placed.address)
            else:
                self._harness.fill(placed.address, placed.size // WORD * WORD, poison + place)
        self._loaded.fill_constants(self._timed.plan, self._buffers.address)

    def launch(self) -> None:
        """Make the plan's launches; asynchronous.

        Raises:
            RefusedError: The device refuses one.
        """
        for launch, prepared in self._launches:
            self._loaded.launch(launch, prepared)

    def launch_apart(self) -> list[object]:
        """Launch with events before the first, between all, and after the last; asynchronous."""
        events: list[object] = [self._driver.record()]
        for launch, prepared in self._launches:
            self._loaded.launch(launch, prepared)
            events.append(self._driver.record())
        return events

    def finish(self) -> None:
        """Wait.

        Raises:
            RefusedError: A kernel failed.
        """
        self._loaded.finish(self._launches[-1][0] if len(self._launches) == 1 else None)

    def look(self, index: int, *, keep: bool) -> None:
        """After a run on a set: inputs and guard zones must be whole; the outputs are counted, and kept if new.

        Raises:
            RefusedError: INPUT_MODIFIED or MEMORY_FAULT.
        """
        found = tuple(self._digest(one) for one in self._of({Role.IN}))
        if found != self._inputs[index]:
            changed = [
                one.spec.name
                for one, now, before in zip(self._of({Role.IN}), found, self._inputs[index], strict=True)
                if now != before
            ]
            message = f"a timed run changed the input {changed[0]}"
            raise RefusedError(Fault(Verdict.INPUT_MODIFIED, message, buffer=changed[0]))
        hit = self._buffers.guard_hit()
        if hit is not None:
            raise RefusedError(guard_fault(hit, self._timed.plan))
        if keep:
            self._keep(index)

    def _keep(self, index: int) -> None:
        left = self._left[index]
        digest = tuple(self._digest(one) for one in self._of(WRITTEN))
        left.runs[digest] = left.runs.get(digest, 0) + 1
        room = self._kept - sum(len(one.values) for one in self._left)
        unseen = sum(not one.values for one in self._left)
        # Every set of inputs keeps a place for its first outputs.
        if digest not in left.values and (room > unseen or not left.values) and room > 0:
            left.values[digest] = self._buffers.read(WRITTEN)

    def outputs(self) -> tuple[tuple[TimedOutput, ...], int]:
        """Return what the runs left, and how many runs left something that was not kept."""
        kept = tuple(
            TimedOutput(index, left.runs[digest], values)
            for index, left in enumerate(self._left)
            for digest, values in left.values.items()
        )
        return kept, sum(sum(left.runs.values()) for left in self._left) - sum(one.runs for one in kept)

    def release(self) -> None:
        """Overwrite all and give it back."""
        self._buffers.release()
        self._loaded.unload()

    def _prepared(self) -> list[tuple[Launch, Prepared]]:
        prepare, address = self._loaded.prepare, self._buffers.address
        return [(launch, prepare(launch, address)) for launch in self._timed.plan.launches]

    def _of(self, roles: Collection[Role]) -> list[Placed]:
        return [one for one in self._buffers.placed.values() if one.spec.role in roles]

    def _digest(self, placed: Placed) -> int:
        return self._harness.digest(placed.address, placed.size // WORD * WORD, self._secret)
