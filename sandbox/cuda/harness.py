"""The harness's own kernels on a GPU, by name, with the grids that suit them."""

from __future__ import annotations

import struct
from pathlib import Path

from sandbox.cuda.driver import Driver, LaunchSettings

_THREADS = 256
_BLOCKS_PER_PROCESSOR = 8
WORD = 4


class Harness:
    """Launches the kernels of harness.ptx; sizes in bytes must be multiples of 4."""

    def __init__(self, driver: Driver) -> None:
        """Load the kernels.

        Raises:
            DriverError: The driver cannot compile the PTX.
        """
        self._driver = driver
        self._module = driver.load(Path(__file__).with_name("harness.ptx").read_bytes() + b"\0")
        self._wide = _BLOCKS_PER_PROCESSOR * driver.facts.multiprocessors
        self._cell = driver.allocate(16)

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write `noise_words(seed, size / 4)`; asynchronous."""
        if size:
            self._launch("ww_fill", _u64(address), _u64(size // WORD), _u64(seed))

    def digest(self, address: int, size: int, seed: int) -> int:
        """Return `digest_words` of what lies there; waits for the stream."""
        self._driver.fill(self._cell, 0, 2)
        if size:
            self._launch("ww_digest", _u64(address), _u64(size // WORD), _u64(seed), _u64(self._cell))
        return int.from_bytes(self._driver.to_host(self._cell, 8).tobytes(), "little")

    def read(self, address: int, size: int) -> None:
        """Read every word, so that the L2 holds these and no others; asynchronous."""
        self._launch("ww_read", _u64(address), _u64(size // WORD), _u64(self._cell))

    def dirty_shared(self, seed: int) -> None:
        """Fill the shared memory of the multiprocessors with random words; asynchronous."""
        size = self._driver.facts.shared_optin
        function = self._driver.function(self._module, "ww_shared")
        self._driver.allow_shared(function, size)
        settings = LaunchSettings(function, (self._wide, 1, 1), (_THREADS, 1, 1), size)
        self._driver.launch(settings, (struct.pack("I", size // WORD), _u64(seed)))

    def spin(self, nanoseconds: int) -> None:
        """Keep the GPU busy for so long; asynchronous."""
        self._launch("ww_spin", _u64(nanoseconds), blocks=1, threads=1)

    def nothing(self, grid: tuple[int, int, int], block: tuple[int, int, int]) -> None:
        """Launch an empty kernel of that shape; asynchronous."""
        function = self._driver.function(self._module, "ww_nothing")
        self._driver.launch(LaunchSettings(function, grid, block, 0), ())

    def clock_mhz(self, nanoseconds: int = 20_000) -> float:
        """Return the clock of a multiprocessor, MHz, from its cycles in so many nanoseconds; waits."""
        self._launch("ww_clock", _u64(nanoseconds), _u64(self._cell), blocks=1, threads=1)
        cycles, passed = struct.unpack("QQ", self._driver.to_host(self._cell, 16).tobytes())
        return 1e3 * cycles / passed if passed else 0.0

    def _launch(self, name: str, *arguments: bytes, blocks: int = 0, threads: int = _THREADS) -> None:
        function = self._driver.function(self._module, name)
        settings = LaunchSettings(function, (blocks or self._wide, 1, 1), (threads, 1, 1), 0)
        self._driver.launch(settings, arguments)


def _u64(value: int) -> bytes:
    return struct.pack("Q", value & (1 << 64) - 1)
