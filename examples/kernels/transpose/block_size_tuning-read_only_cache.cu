// Found by python -m benchmarks.gpu.variants --task transpose --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 44.98 us (estimated), 1.42 times as fast as the baseline (estimated).
// A transpose: a thread for each element.
// features: block_size_tuning, read_only_cache
//@ tune BLOCK_X = 8 in 8, 16, 32
//@ define BLOCK_Y = 256 // BLOCK_X
//@ launch transpose<<<(ceil_div(cols, BLOCK_X), ceil_div(rows, BLOCK_Y)), (BLOCK_X, BLOCK_Y)>>>(x, y, rows, cols)

extern "C" __global__ void __launch_bounds__(BLOCK_X * BLOCK_Y)
transpose(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
    const int col = blockIdx.x * BLOCK_X + threadIdx.x;
    const int row = blockIdx.y * BLOCK_Y + threadIdx.y;
    if (row < rows && col < cols) {
        y[static_cast<size_t>(col) * rows + row] = x[static_cast<size_t>(row) * cols + col];
    }
}
