"""What a product sums, shared by the blocks of a cluster: each sums a part, and stores some rows of all their sums.

The sums stay in shared memory, where the others read them, always in the same order: two runs agree bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.kernel_text import indent

CLUSTER = """\
// Waits for all threads of the cluster; what they wrote to shared memory is seen afterwards.
__device__ __forceinline__ void cluster_sync() {
    asm volatile("barrier.cluster.arrive;\\n\\tbarrier.cluster.wait;" ::: "memory");
}

// Where another block of the cluster has in its shared memory what is here in one's own.
template <typename T>
__device__ __forceinline__ const T* in_block(const T* const here, const int block) {
    const T* there;
    asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(here), "r"(block));
    return there;
}
"""
"""As cooperative groups do it, whose header takes NVRTC forty times as long as all of this (docs/turnaround.md)."""

_FEW = 40
"""Tiles of a result that leave most of a GPU idle: four blocks share each, otherwise two."""


@dataclass(frozen=True)
class Splitting:
    """Who sums which part.

    Attributes:
        macro: Name of the define that says how many blocks share a tile.
    """

    macro: str

    @property
    def parts(self) -> str:
        """How many parts what is summed has: one for each group of each block."""
        return f"(GROUPS * {self.macro})"

    @property
    def part(self) -> str:
        """The part of this thread's group."""
        return "(blockIdx.z * GROUPS + group)"

    @property
    def rows(self) -> str:
        """How many rows of the tile a block stores."""
        return f"(BM / {self.macro})"

    @property
    def first_row(self) -> str:
        """Where in the tile these begin."""
        return f"blockIdx.z * {self.rows}"

    @property
    def mode(self) -> str:
        """How the kernel is launched."""
        return f"cluster(1, 1, {self.macro}) "

    def directive(self, tiles: str) -> str:
        """Say how many blocks share a tile."""
        return f"//@ define {self.macro} = 4 if {tiles} <= {_FEW} else 2"

    def grid(self, tiles: str) -> str:
        """The grid, with the blocks of a cluster one behind the other."""
        return f"{tiles[:-1]}, {self.macro})" if tiles.startswith("(") else f"({tiles}, 1, {self.macro})"

    def gathered(self, ctype: str) -> str:
        """Wait for the sums of the other blocks, and find them."""
        return (
            f"cluster_sync();\nconst {ctype}* shares[{self.macro}];\n"
            f"#pragma unroll\nfor (int z = 0; z < {self.macro}; ++z) {{\n"
            "    shares[z] = in_block(results, z);\n}\n"
        )

    def added(self, pack: str, many: str, place: str) -> str:
        """Add what the blocks have summed."""
        each = f"#pragma unroll\nfor (int j = 0; j < {many}; ++j) {{\n    sum.lane[j] += part.lane[j];\n}}\n"
        inner = f"const {pack} part = *reinterpret_cast<const {pack}*>(shares[z] + {place});\n{each}"
        return f"{pack} sum = {{}};\n#pragma unroll\nfor (int z = 0; z < {self.macro}; ++z) {{\n{indent(inner)}}}\n"

    def left(self) -> str:
        """No block ends while another may read its sums."""
        return "cluster_sync();\n"
