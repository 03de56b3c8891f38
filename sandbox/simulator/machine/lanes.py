"""How threads are laid out as array axes.

All threads of a batch of blocks run in lock step. A value that differs between threads is an array of three
axes: two for the thread inside its block and the last one for the block. An axis along which the value does
not differ has length 1, so a value that depends on `threadIdx.y` alone costs `blockDim.y` elements, however
many threads run. The flattened thread axes are the linear thread index, hence 32 neighbours are a warp.

Blocks come last because shared-memory addresses hardly ever depend on the block: one row gather then serves
every block of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sandbox.device import Array
from sandbox.simulator.ptx.types import PRED, U32, constant

WARP = 32
LANES_PER_BATCH = 32768
Mask = Array | None
"""Lanes, bool and lane-shaped; None is everyone."""
EVERYONE = np.ones((1, 1, 1), dtype=np.bool_)
"""Every lane as an array."""
Turns = tuple[Array, Array, Array]
"""In which order lanes that nothing orders take their turns: an order of rows, of columns and of blocks."""


@dataclass(frozen=True)
class Geometry:
    """Grid, block and cluster of one launch; `rows` x `columns` are the two thread axes.

    Attributes:
        replicas: How many such grids run side by side, each over memory of its own; linear block indices count
            through all of them.
    """

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    cluster: tuple[int, int, int] = (1, 1, 1)
    replicas: int = 1

    @property
    def threads(self) -> int:
        """Threads in a block."""
        x, y, z = self.block
        return x * y * z

    @property
    def grid_blocks(self) -> int:
        """Blocks in the grid."""
        x, y, z = self.grid
        return x * y * z

    @property
    def blocks(self) -> int:
        """Blocks in all replicas of the grid."""
        return self.grid_blocks * self.replicas

    @property
    def cluster_size(self) -> int:
        """Blocks in a cluster."""
        x, y, z = self.cluster
        return x * y * z

    @property
    def warps(self) -> int:
        """Warps in a block; the last one may be partial."""
        return -(-self.threads // WARP)

    @cached_property
    def columns(self) -> int:
        """Length of the second thread axis: a warp for one-dimensional blocks, else blockDim.x."""
        x, y, z = self.block
        if y * z > 1:
            return x
        return WARP if x % WARP == 0 else x

    @cached_property
    def rows(self) -> int:
        """Length of the first thread axis."""
        return self.threads // self.columns

    @property
    def blocks_per_batch(self) -> int:
        """Blocks that run in lock step: about as many lanes as fit the cache."""
        return max(1, LANES_PER_BATCH // self.threads)

    def cluster_of(self, blocks: Array) -> Array:
        """Linear cluster index of linear block indices."""
        index, stride = np.zeros_like(blocks), 1
        for size, each in zip(self.grid, self.cluster, strict=True):
            index = index + blocks % size // each * stride
            blocks, stride = blocks // size, stride * (size // each)
        return index + blocks * stride  # what is left are replicas

    def cluster_blocks(self, clusters: Array) -> Array:
        """Linear block indices of linear cluster indices, shape (clusters, blocks of one by rank)."""
        ranks = np.arange(self.cluster_size, dtype=np.int64)
        clusters = clusters.reshape(-1, 1)
        index, stride = np.zeros((1, 1), dtype=np.int64), 1
        for size, each in zip(self.grid, self.cluster, strict=True):
            index = index + (clusters % (size // each) * each + ranks % each) * stride
            clusters, ranks, stride = clusters // (size // each), ranks // each, stride * size
        return index + clusters * stride

    def thread_coordinates(self, linear: int) -> tuple[int, int, int]:
        """`threadIdx` of a linear thread index."""
        x, y, _ = self.block
        return linear % x, linear // x % y, linear // (x * y)

    def block_coordinates(self, linear: int) -> tuple[int, int, int]:
        """`blockIdx` of a linear block index."""
        x, y, z = self.grid
        return linear % x, linear // x % y, linear // (x * y) % z


def special_registers(geometry: Geometry, blocks: Array) -> dict[str, Array]:
    """Values of the special registers (PTX ISA 9.0, chapter 10) for the blocks of a batch.

    Args:
        geometry: Of the launch.
        blocks: Linear block indices, shape (B,), int64.
    """
    rows, columns = geometry.rows, geometry.columns
    linear = np.arange(geometry.threads, dtype=U32).reshape(rows, columns, 1)
    x, y, _ = geometry.block
    axis = blocks.reshape(1, 1, -1) % geometry.grid_blocks
    grid_x, grid_y, _ = geometry.grid
    values = {
        "%tid.x": linear % U32.type(x),
        "%tid.y": linear // U32.type(x) % U32.type(y),
        "%tid.z": linear // U32.type(x * y),
        "%ctaid.x": (axis % grid_x).astype(U32),
        "%ctaid.y": (axis // grid_x % grid_y).astype(U32),
        "%ctaid.z": (axis // (grid_x * grid_y)).astype(U32),
        "%laneid": linear % U32.type(WARP),
        "%WARP_SZ": constant(WARP, U32),
    }
    lane = values["%laneid"].astype(np.uint64)
    bit = np.uint64(1) << lane
    values["%lanemask_eq"] = bit.astype(U32)
    values["%lanemask_lt"] = (bit - np.uint64(1)).astype(U32)
    values["%lanemask_le"] = (bit * np.uint64(2) - np.uint64(1)).astype(U32)
    values["%lanemask_gt"] = ~values["%lanemask_le"]
    values["%lanemask_ge"] = ~values["%lanemask_lt"]
    for name, size in zip("xyz", geometry.block, strict=True):
        values[f"%ntid.{name}"] = constant(size, U32)
    for name, size in zip("xyz", geometry.grid, strict=True):
        values[f"%nctaid.{name}"] = constant(size, U32)
    values |= _cluster_registers(geometry, axis)
    return {name: compress(value) for name, value in values.items()}


def _cluster_registers(geometry: Geometry, blocks: Array) -> dict[str, Array]:
    """`%clusterid`, `%cluster_ctaid` and the like; `blocks` is shaped as a lane value."""
    values: dict[str, Array] = {}
    rank, stride = np.zeros_like(blocks), 1
    for name, size, each in zip("xyz", geometry.grid, geometry.cluster, strict=True):
        position, blocks = blocks % size, blocks // size
        rank, stride = rank + position % each * stride, stride * each
        values[f"%clusterid.{name}"] = (position // each).astype(U32)
        values[f"%cluster_ctaid.{name}"] = (position % each).astype(U32)
        values[f"%nclusterid.{name}"] = constant(size // each, U32)
        values[f"%cluster_nctaid.{name}"] = constant(each, U32)
    values["%cluster_ctarank"] = rank.astype(U32)
    values["%cluster_nctarank"] = constant(geometry.cluster_size, U32)
    values["%is_explicit_cluster"] = constant(geometry.cluster_size > 1, PRED)
    return values


def compress(value: Array) -> Array:
    """Drop the axes along which the bits of a value do not differ: 0 and -0 are two values, a NaN is one."""
    bits = value.view(f"u{value.itemsize}") if value.dtype.kind == "f" else value
    for axis in range(3):
        if value.shape[axis] > 1:
            first = (slice(None),) * axis + (slice(0, 1),)
            if (bits == bits[first]).all():
                value, bits = value[first], bits[first]
    return value


def spread(value: Array, shape: tuple[int, ...]) -> Array:
    """A value at its full shape, to be read only: `np.broadcast_to`, which is slow where there is nothing to do."""
    return value if value.shape == shape else np.broadcast_to(value, shape)


def common_shape(first: Array, *others: Array) -> tuple[int, ...]:
    """The shape that all of these broadcast to; at once where they have it."""
    shape = first.shape
    if all(other.shape == shape for other in others):
        return shape
    return np.broadcast_shapes(shape, *(other.shape for other in others))


def some(lanes: Array) -> bool:
    """Whether any element of a bool array is true, several times as fast as `any()` for a few thousand lanes."""
    return bool(np.count_nonzero(lanes))


def by_warp(value: Array, geometry: Geometry, fill: int | bool = 0) -> Array:
    """View as (warps, 32, blocks), the thread axes spelled out; a partial last warp is padded with `fill`.

    The last axis keeps length 1 where the value does not differ between blocks.
    """
    rows, columns = geometry.rows, geometry.columns
    blocks = value.shape[2]
    flat = spread(value, (rows, columns, blocks)).reshape(geometry.threads, blocks)
    padding = geometry.warps * WARP - geometry.threads
    if padding:
        flat = np.concatenate([flat, np.full((padding, blocks), fill, dtype=value.dtype)])
    return flat.reshape(geometry.warps, WARP, blocks)


def from_warps(value: Array, geometry: Geometry) -> Array:
    """The inverse of `by_warp`: back to (rows, columns, blocks)."""
    blocks = value.shape[2]
    flat = value.reshape(geometry.warps * WARP, blocks)[: geometry.threads]
    return flat.reshape(geometry.rows, geometry.columns, blocks)


def union(a: Mask, b: Mask) -> Mask:
    """Lanes of either mask."""
    return None if a is None or b is None else a | b


def missing(live: Mask, mask: Array) -> Array:
    """Live lanes that are not in a mask."""
    absent: Array = ~mask if live is None else np.greater(live, mask)
    return absent


def covers(live: Mask, mask: Mask) -> bool:
    """Whether a mask holds every lane that is alive."""
    if live is None:
        return mask is None or int(np.count_nonzero(mask)) == mask.size
    return mask is None or not some(missing(live, mask))


def count_threads(geometry: Geometry, live: Mask, lanes: Array) -> Array:
    """How many threads of each block are among the lanes, int64, shape (1, 1, blocks).

    A warp that is there with all its live lanes counts as a whole one, 32 (PTX ISA 9.0, section 9.7.13.1: barriers
    count warps). `lanes` has all axes at their full length.
    """
    here = by_warp(lanes, geometry, fill=False)
    alive = by_warp(np.broadcast_to(EVERYONE if live is None else live, lanes.shape), geometry, fill=False)
    whole = here.any(axis=1) & ~(alive & ~here).any(axis=1)
    return np.where(whole, WARP, here.sum(axis=1)).sum(axis=0).reshape(1, 1, -1)
