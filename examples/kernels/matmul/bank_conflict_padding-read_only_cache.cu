// Found by python -m benchmarks.gpu.variants --task matmul --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 383 us (estimated), 1.41 times as fast as the baseline (estimated).
// A matrix product: tiles of both matrices pass through shared memory.
// features: shared_memory_tiling, bank_conflict_padding, read_only_cache
//@ define TILE = 16
//@ launch matmul<<<(ceil_div(n, TILE), ceil_div(m, TILE)), (TILE, TILE)>>>(a, b, c, m, n, k)

extern "C" __global__ void __launch_bounds__(TILE * TILE)
matmul(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, const int m, const int n, const int k) {
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
