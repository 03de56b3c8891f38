// Found by python -m benchmarks.gpu.variants --task transpose --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 41.08 us (estimated), 1.55 times as fast as the baseline (estimated).
// A transpose: a tile goes through shared memory, packs of neighbours in and out.
// features: shared_memory_tiling, vectorized_loads, loop_unrolling, read_only_cache
//@ define TILE = 32
//@ define BLOCK = 256
//@ define READ_WIDTH = 4 if cols % 4 == 0 else 1
//@ define WRITE_WIDTH = 4 if rows % 4 == 0 else 1
//@ launch transpose<<<(ceil_div(cols, TILE), ceil_div(rows, TILE)), BLOCK>>>(x, y, rows, cols)

// N neighbours that move in one memory instruction.
template <typename T, int N>
struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Pack {
    T lane[N];
};

extern "C" __global__ void __launch_bounds__(BLOCK)
transpose(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
    __shared__ float tile[TILE][TILE];
    const int first_row = blockIdx.y * TILE;
    const int first_col = blockIdx.x * TILE;
    #pragma unroll
    for (int i = threadIdx.x; i < TILE * TILE / READ_WIDTH; i += BLOCK) {
        const int major = i / (TILE / READ_WIDTH);
        const int minor = i % (TILE / READ_WIDTH) * READ_WIDTH;
        const int row = first_row + major;
        const int col = first_col + minor;
        if (row < rows && col < cols) {
            const float* from = x + static_cast<size_t>(row) * cols + col;
            const Pack<float, READ_WIDTH> value = *reinterpret_cast<const Pack<float, READ_WIDTH>*>(from);
            #pragma unroll
            for (int k = 0; k < READ_WIDTH; ++k) {
                tile[major][minor + k] = value.lane[k];
            }
        }
    }
    __syncthreads();
    #pragma unroll
    for (int i = threadIdx.x; i < TILE * TILE / WRITE_WIDTH; i += BLOCK) {
        const int major = i / (TILE / WRITE_WIDTH);
        const int minor = i % (TILE / WRITE_WIDTH) * WRITE_WIDTH;
        const int col = first_col + major;
        const int row = first_row + minor;
        if (row < rows && col < cols) {
            Pack<float, WRITE_WIDTH> value;
            #pragma unroll
            for (int k = 0; k < WRITE_WIDTH; ++k) {
                value.lane[k] = tile[minor + k][major];
            }
            float* to = y + static_cast<size_t>(col) * rows + row;
            *reinterpret_cast<Pack<float, WRITE_WIDTH>*>(to) = value;
        }
    }
}
