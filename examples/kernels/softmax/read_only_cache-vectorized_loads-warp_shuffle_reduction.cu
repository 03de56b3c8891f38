// Found by python -m benchmarks.gpu.variants --task softmax --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 52.31 us (estimated), 0.738 times as fast as the baseline (estimated).
// A row program: reductions over each row, then what follows from them; a warp works on a row.
// features: warp_shuffle_reduction, vectorized_loads, read_only_cache
//@ define BLOCK = 256
//@ define WIDTH = 4 if cols % 4 == 0 else 1
//@ launch row_program<<<ceil_div(rows, BLOCK // 32), BLOCK>>>(x, y, rows, cols)

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

__device__ __forceinline__ float reduce_max(float value) {
    #pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, offset));
    }
    return value;
}

__device__ __forceinline__ float reduce_sum(float value) {
    #pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
        value = value + __shfl_xor_sync(0xffffffff, value, offset);
    }
    return value;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
row_program(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
    const int lane = threadIdx.x % 32;
    const int chunks = cols / WIDTH;
    const int row = blockIdx.x * (BLOCK / 32) + threadIdx.x / 32;
    if (row >= rows) {
        return;
    }
    const float* x_row = x + static_cast<size_t>(row) * cols;
    float* y_row = y + static_cast<size_t>(row) * cols;
    float row_max = -INFINITY;
    for (int chunk = lane; chunk < chunks; chunk += 32) {
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            row_max = fmaxf(row_max, x_c.lane[k]);
        }
    }
    row_max = reduce_max(row_max);
    float row_sum = 0.0f;
    for (int chunk = lane; chunk < chunks; chunk += 32) {
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            row_sum += term2(x_c.lane[k], row_max);
        }
    }
    row_sum = reduce_sum(row_sum);
    for (int chunk = lane; chunk < chunks; chunk += 32) {
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        Pack<float> y_result;
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            y_result.lane[k] = compute(x_c.lane[k], row_max, row_sum);
        }
        reinterpret_cast<Pack<float>*>(y_row)[chunk] = y_result;
    }
}
