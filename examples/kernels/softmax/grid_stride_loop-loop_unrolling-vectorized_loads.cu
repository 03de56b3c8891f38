// Found by python -m benchmarks.gpu.variants --task softmax --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 267.9 us (estimated), 0.144 times as fast as the baseline (estimated).
// A row program: reductions over each row, then what follows from them; a thread works on a row.
// features: vectorized_loads, grid_stride_loop, loop_unrolling
//@ define BLOCK = 256
//@ define WIDTH = 4 if cols % 4 == 0 else 1
//@ tune UNROLL = 4 in 2, 4
//@ tune GRID = 1056 in 528, 1056
//@ launch row_program<<<min(ceil_div(rows, BLOCK), GRID), BLOCK>>>(x, y, rows, cols)

// WIDTH neighbours that move in one memory instruction.
template <typename T>
struct alignas(sizeof(T) * WIDTH < 16 ? sizeof(T) * WIDTH : 16) Pack {
    T lane[WIDTH];
};

__device__ __forceinline__ float term2(const float x, const float max_value) {
    const float e = expf(x - max_value);
    return e;
}

__device__ __forceinline__ float compute(const float x, const float max_value, const float sum_value) {
    return expf(x - max_value) / sum_value;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
row_program(const float* x, float* y, const int rows, const int cols) {
    const int chunks = cols / WIDTH;
    for (int row = blockIdx.x * BLOCK + threadIdx.x; row < rows; row += gridDim.x * BLOCK) {
        const float* x_row = x + static_cast<size_t>(row) * cols;
        float* y_row = y + static_cast<size_t>(row) * cols;
        float row_max = -INFINITY;
        #pragma unroll UNROLL
        for (int chunk = 0; chunk < chunks; ++chunk) {
            const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                row_max = fmaxf(row_max, x_c.lane[k]);
            }
        }
        float row_sum = 0.0f;
        #pragma unroll UNROLL
        for (int chunk = 0; chunk < chunks; ++chunk) {
            const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                row_sum += term2(x_c.lane[k], row_max);
            }
        }
        #pragma unroll UNROLL
        for (int chunk = 0; chunk < chunks; ++chunk) {
            const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
            Pack<float> y_result;
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                y_result.lane[k] = compute(x_c.lane[k], row_max, row_sum);
            }
            reinterpret_cast<Pack<float>*>(y_row)[chunk] = y_result;
        }
    }
}
