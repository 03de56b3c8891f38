"""Products of two tiles by tensor cores: mma.sync on elements of sixteen bits, sums in float32."""

from __future__ import annotations

from dataclasses import dataclass

from agent.composer.nests.collectives.tiling.geometry import TileLayout
from agent.composer.nests.collectives.tiling.multiplying import loop

_NAMES = {"__half": "f16", "__nv_bfloat16": "bf16"}

_HELPERS = """\
// Four 8 x 8 matrices of sixteen-bit elements, each lane naming a row of one of them.
__device__ __forceinline__ void load_matrices(unsigned int (&to)[4], const void* row) {
    const unsigned int address = static_cast<unsigned int>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(address) : "memory");
}

// The same, each matrix transposed.
__device__ __forceinline__ void load_transposed(unsigned int (&to)[4], const void* row) {
    const unsigned int address = static_cast<unsigned int>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(address) : "memory");
}

// sums += left (16 x 16) * right (16 x 8).
__device__ __forceinline__ void multiply_NAME(
    float (&sums)[4], const unsigned int (&left)[4], const unsigned int* right
) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.NAME.NAME.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right[0]), "r"(right[1]));
}
"""


@dataclass(frozen=True)
class TensorMultiplier:
    """Writes the sums of products of one group; a warp has 32 columns of a tile.

    Attributes:
        rows: Rows of a warp, in sixteens.
    """

    left: TileLayout
    right: TileLayout
    rows: int

    @property
    def pitch(self) -> str:
        """How far rows of results are apart in shared memory: four of them do not meet in a bank."""
        return "(BN + 8)"

    @property
    def functions(self) -> list[str]:
        """Device functions that it calls."""
        return _HELPERS.replace("NAME", _NAMES[self.left.ctype]).split("\n\n")

    def declared(self) -> str:
        """Where a warp's results lie, its sums, and which part of a matrix this lane names."""
        deep_left, deep_right = self.left.factor.is_deep, self.right.factor.is_deep
        left = (
            ("lane % 16", "lane / 16 * 8") if deep_left else ("lane / 8 % 2 * 8", "lane / 16 * 8 + lane % 8")
        )
        right = (
            ("lane / 16 * 8 + lane % 8", "lane / 8 % 2 * 8") if deep_right else ("lane / 16 * 8", "lane % 16")
        )
        return (
            f"const int row = warp / (BN / 32) * {16 * self.rows};\nconst int col = warp % (BN / 32) * 32;\n"
            f"const int left_part = {self.left.slot(f'row + {left[0]}', left[1])};\n"
            f"const int right_part = {self.right.slot(f'col + {right[0]}', right[1])};\n"
            f"float sums[{self.rows}][4][4] = {{}};\n"
        )

    def step(self) -> str:
        """Add the products of two tiles."""
        name = _NAMES[self.left.ctype]
        load_left = "load_matrices" if self.left.factor.is_deep else "load_transposed"
        load_right = "load_matrices" if self.right.factor.is_deep else "load_transposed"
        left = f"left_tile + left_part + ({self.left.slot('16 * r', 'kk')})"
        right = f"right_tile + right_part + ({self.right.slot('16 * s', 'kk')})"
        multiplied = f"multiply_{name}(sums[r][s], left[r], right[s / 2] + s % 2 * 2);\n"
        inner = (
            f"unsigned int left[{self.rows}][4], right[2][4];\n"
            + loop("r", self.rows, f"{load_left}(left[r], {left});\n")
            + loop("s", 2, f"{load_right}(right[s], {right});\n")
            + loop("r", self.rows, loop("s", 4, multiplied))
        )
        return loop("kk", "BK", inner, 16)

    def handed_over(self) -> str:
        """Add a warp's sums to the block's results, or put them there where its group is the first."""
        inner = (
            "const int to_row = row + 16 * r + 8 * h + lane / 4;\nconst int to_col = col + 8 * s + lane % 4 * 2;\n"
            f"float2* const to = reinterpret_cast<float2*>(results + to_row * {self.pitch} + to_col);\n"
            "float2 some = make_float2(0.0f, 0.0f);\nif (g > 0) {\n    some = *to;\n}\n"
            "some.x += sums[r][s][2 * h];\nsome.y += sums[r][s][2 * h + 1];\n*to = some;\n"
        )
        return loop("r", self.rows, loop("s", 4, loop("h", 2, inner)))
