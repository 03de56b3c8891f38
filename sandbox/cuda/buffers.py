"""A plan's buffers on a GPU, each between guard zones of random bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sandbox.cuda.driver import Bytes, Driver
from sandbox.cuda.harness import WORD, Harness
from sandbox.cuda.noise import noise_words
from sandbox.dtypes import DTYPE_BYTES, numpy_dtype
from sandbox.plan import BufferSpec, Plan, Role

Array = np.ndarray[Any, Any]

GUARD_BYTES = 4 << 20
"""Each side of a buffer: more than a page of device memory (2 MiB), so that a stray write of a row or two hits it."""

_ALIGNMENT = 256


@dataclass(frozen=True)
class GuardHit:
    """A write outside a buffer: the first byte that changed, as an offset from the buffer's start."""

    buffer: str
    offset: int


@dataclass(frozen=True)
class Placed:
    """A buffer and where it lies: `guard` bytes, the buffer, and at least `guard` bytes again.

    Attributes:
        base: Address of the first guard zone.
        total: Length of all three, a multiple of 4.
        seed: Of the noise that the guard zones hold.
    """

    spec: BufferSpec
    base: int
    guard: int
    size: int
    total: int
    seed: int

    @property
    def address(self) -> int:
        """What the kernel gets."""
        return self.base + self.guard

    @property
    def after(self) -> int:
        """Offset from `base` of the first whole word behind the buffer."""
        return self.guard + -(-self.size // WORD) * WORD

    @property
    def slack(self) -> int:
        """Bytes behind the buffer that share a word with its last ones."""
        return self.after - self.guard - self.size


class DeviceBuffers:
    """All buffers of a plan; given back, overwritten, by `release`."""

    def __init__(
        self, driver: Driver, harness: Harness, plan: Plan, secret: int, guard: int = GUARD_BYTES
    ) -> None:
        """Allocate them, with guard zones whose contents follow from `secret`.

        Raises:
            DriverError: There is not enough memory; what was allocated has been given back.
        """
        self._driver = driver
        self._harness = harness
        self._secret = secret
        self.placed: dict[str, Placed] = {}
        self._sealed: dict[str, tuple[int, int]] = {}
        try:
            for index, spec in enumerate(plan.buffers):
                self._place(spec, guard, secret + 2 * index + 1)
        except BaseException:
            self.release()
            raise

    def _place(self, spec: BufferSpec, guard: int, seed: int) -> None:
        size = spec.size * DTYPE_BYTES[spec.dtype]
        total = guard + -(-size // _ALIGNMENT) * _ALIGNMENT + guard
        base = self._driver.allocate(total)
        self.placed[spec.name] = Placed(spec, base, guard, size, total, seed)
        self._harness.fill(base, total, seed)

    def address(self, name: str) -> int:
        """Where the buffer of that name starts.

        Raises:
            KeyError: There is none.
        """
        return self.placed[name].address

    def write(self, name: str, data: Array) -> None:
        """Copy an array into a buffer of its size."""
        self._driver.to_device(self.address(name), as_bytes(data))

    def read(self, roles: Iterable[Role]) -> dict[str, Array]:
        """Return what the buffers of these roles hold, flat, in their dtype."""
        wanted = set(roles)
        return {
            name: self._driver.to_host(placed.address, placed.size).view(numpy_dtype(placed.spec.dtype))
            for name, placed in self.placed.items()
            if placed.spec.role in wanted
        }

    def seal(self) -> None:
        """Remember what the guard zones hold; call it before the candidate runs."""
        self._sealed = {name: self._zone_digests(placed) for name, placed in self.placed.items()}

    def guard_hit(self) -> GuardHit | None:
        """Look at every guard zone; return the first hit in the plan's order, the byte nearest to the buffer."""
        for name, placed in self.placed.items():
            slack = self._driver.to_host(placed.base + placed.guard + placed.size, placed.slack)
            if self._zone_digests(placed) == self._sealed[name] and np.array_equal(slack, _slack(placed)):
                continue
            found = self._driver.to_host(placed.base, placed.total)
            return GuardHit(name, _nearest(np.flatnonzero(found != _noise(placed)), placed))
        return None

    def _zone_digests(self, placed: Placed) -> tuple[int, int]:
        digest = self._harness.digest
        return (
            digest(placed.base, placed.guard, self._secret),
            digest(placed.base + placed.after, placed.total - placed.after, self._secret),
        )

    def release(self) -> None:
        """Overwrite everything and give it back: no later kernel may find it."""
        for placed in self.placed.values():
            self._harness.fill(placed.base, placed.total, self._secret)
            self._driver.free(placed.base)
        self.placed = {}


def as_bytes(data: Array) -> Bytes:
    """Return an array's bytes, flat."""
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)


def _noise(placed: Placed) -> Bytes:
    return noise_words(placed.seed, placed.total // WORD).view(np.uint8)


def _slack(placed: Placed) -> Bytes:
    start = placed.guard + placed.size
    return noise_words(placed.seed, placed.after // WORD).view(np.uint8)[start:]


def _nearest(changed: Array, placed: Placed) -> int:
    """Of offsets from `base` that changed, the one outside the buffer and nearest to it, from its start."""
    offsets = changed.astype(np.int64) - placed.guard
    outside = offsets[(offsets < 0) | (offsets >= placed.size)]
    distance = np.where(outside < 0, -outside, outside - placed.size + 1)
    return int(outside[np.argmin(distance)]) if outside.size else placed.size
