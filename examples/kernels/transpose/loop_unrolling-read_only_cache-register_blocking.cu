// Found by python -m benchmarks.gpu.variants --task transpose --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 88.08 us (estimated), 0.723 times as fast as the baseline (estimated).
// A transpose: a tile goes through shared memory, so that reads and writes run along rows.
// features: shared_memory_tiling, register_blocking, loop_unrolling, read_only_cache
//@ define TILE = 32
//@ tune TILE_ROWS = 4 in 4, 8
//@ launch transpose<<<(ceil_div(cols, TILE), ceil_div(rows, TILE)), (TILE, TILE_ROWS)>>>(x, y, rows, cols)

extern "C" __global__ void __launch_bounds__(TILE * TILE_ROWS)
transpose(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
    __shared__ float tile[TILE][TILE];
    const int first_row = blockIdx.y * TILE;
    const int first_col = blockIdx.x * TILE;
    #pragma unroll
    for (int k = threadIdx.y; k < TILE; k += TILE_ROWS) {
        const int row = first_row + k;
        const int col = first_col + threadIdx.x;
        if (row < rows && col < cols) {
            tile[k][threadIdx.x] = x[static_cast<size_t>(row) * cols + col];
        }
    }
    __syncthreads();
    #pragma unroll
    for (int k = threadIdx.y; k < TILE; k += TILE_ROWS) {
        const int row = first_row + threadIdx.x;
        const int col = first_col + k;
        if (row < rows && col < cols) {
            y[static_cast<size_t>(col) * rows + row] = tile[threadIdx.x][k];
        }
    }
}
