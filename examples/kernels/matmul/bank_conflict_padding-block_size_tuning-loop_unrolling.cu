// Found by python -m benchmarks.gpu.variants --task matmul --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 339.8 us (estimated), 1.59 times as fast as the baseline (estimated).
// A matrix product: tiles of both matrices pass through shared memory.
// features: shared_memory_tiling, bank_conflict_padding, loop_unrolling, block_size_tuning
//@ tune TILE = 32 in 16, 32
//@ launch matmul<<<(ceil_div(n, TILE), ceil_div(m, TILE)), (TILE, TILE)>>>(a, b, c, m, n, k)

extern "C" __global__ void __launch_bounds__(TILE * TILE)
matmul(const float* a, const float* b, float* c, const int m, const int n, const int k) {
    __shared__ float left_tile[TILE][TILE + 1];
    __shared__ float right_tile[TILE][TILE + 1];
    const int first_row = blockIdx.y * TILE;
    const int first_col = blockIdx.x * TILE;
    float total = 0;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        if (first_row + threadIdx.y < m && k0 + threadIdx.x < k) {
            left_tile[threadIdx.y][threadIdx.x] = a[static_cast<size_t>(first_row + threadIdx.y) * k + k0 + threadIdx.x];
        } else {
            left_tile[threadIdx.y][threadIdx.x] = 0;
        }
        if (k0 + threadIdx.y < k && first_col + threadIdx.x < n) {
            right_tile[threadIdx.y][threadIdx.x] = b[static_cast<size_t>(k0 + threadIdx.y) * n + first_col + threadIdx.x];
        } else {
            right_tile[threadIdx.y][threadIdx.x] = 0;
        }
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < TILE; ++i) {
            total += left_tile[threadIdx.y][i] * right_tile[i][threadIdx.x];
        }
        __syncthreads();
    }
    const int row = first_row + threadIdx.y;
    const int col = first_col + threadIdx.x;
    if (row < m && col < n) {
        c[static_cast<size_t>(row) * n + col] = total;
    }
}
