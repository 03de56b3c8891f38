// Found by python -m benchmarks.gpu.variants --task softmax --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 40.39 us (estimated), 0.956 times as fast as the baseline (estimated).
// A row program: reductions over each row, then what follows from them; a warp works on a row.
// features: warp_shuffle_reduction, register_blocking, loop_unrolling, block_size_tuning
//@ tune BLOCK = 128 in 128, 256, 512
//@ define ITEMS = min(ceil_div(cols, 32), 32)
//@ define UNROLL = 4
//@ launch row_program<<<ceil_div(rows, BLOCK // 32), BLOCK>>>(x, y, rows, cols)

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
row_program(const float* x, float* y, const int rows, const int cols) {
    const int lane = threadIdx.x % 32;
    const int row = blockIdx.x * (BLOCK / 32) + threadIdx.x / 32;
    if (row >= rows) {
        return;
    }
    const float* x_row = x + static_cast<size_t>(row) * cols;
    float* y_row = y + static_cast<size_t>(row) * cols;
    float x_cache[ITEMS];
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int c = lane + item * 32;
        if (c < cols) {
            x_cache[item] = x_row[c];
        }
    }
    float row_max = -INFINITY;
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int c = lane + item * 32;
        if (c < cols) {
            const float x_c = x_cache[item];
            row_max = fmaxf(row_max, x_c);
        }
    }
    #pragma unroll UNROLL
    for (int c = lane + ITEMS * 32; c < cols; c += 32) {  // what the registers do not hold
        const float x_c = x_row[c];
        row_max = fmaxf(row_max, x_c);
    }
    row_max = reduce_max(row_max);
    float row_sum = 0.0f;
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int c = lane + item * 32;
        if (c < cols) {
            const float x_c = x_cache[item];
            row_sum += term2(x_c, row_max);
        }
    }
    #pragma unroll UNROLL
    for (int c = lane + ITEMS * 32; c < cols; c += 32) {  // what the registers do not hold
        const float x_c = x_row[c];
        row_sum += term2(x_c, row_max);
    }
    row_sum = reduce_sum(row_sum);
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int c = lane + item * 32;
        if (c < cols) {
            const float x_c = x_cache[item];
            y_row[c] = compute(x_c, row_max, row_sum);
        }
    }
    #pragma unroll UNROLL
    for (int c = lane + ITEMS * 32; c < cols; c += 32) {  // what the registers do not hold
        const float x_c = x_row[c];
        y_row[c] = compute(x_c, row_max, row_sum);
    }
}
