// Found by python -m benchmarks.gpu.variants --task softmax --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 44.32 us (estimated), 0.871 times as fast as the baseline (estimated).
// A row program: reductions over each row, then what follows from them; a block works on a row.
// features: two_pass_reduction, shared_memory_tiling, loop_unrolling, read_only_cache
//@ define BLOCK = 256
//@ define CACHED = min(cols, 8192 // 1)
//@ tune UNROLL = 4 in 2, 4
//@ launch row_program<<<rows, BLOCK, CACHED * 4>>>(x, y, rows, cols)

__device__ __forceinline__ float term2(const float x, const float max_value) {
    const float e = expf(x - max_value);
    return e;
}

__device__ __forceinline__ float compute(const float x, const float max_value, const float sum_value) {
    return expf(x - max_value) / sum_value;
}

__device__ __forceinline__ float reduce_max(float value) {
    __shared__ float tree[BLOCK];
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half_size = BLOCK / 2; half_size > 0; half_size /= 2) {
        if (threadIdx.x < half_size) {
            tree[threadIdx.x] = fmaxf(tree[threadIdx.x], tree[threadIdx.x + half_size]);
        }
        __syncthreads();
    }
    const float total = tree[0];
    __syncthreads();  // before the next reduction writes
    return total;
}

__device__ __forceinline__ float reduce_sum(float value) {
    __shared__ float tree[BLOCK];
    tree[threadIdx.x] = value;
    __syncthreads();
    for (int half_size = BLOCK / 2; half_size > 0; half_size /= 2) {
        if (threadIdx.x < half_size) {
            tree[threadIdx.x] = tree[threadIdx.x] + tree[threadIdx.x + half_size];
        }
        __syncthreads();
    }
    const float total = tree[0];
    __syncthreads();  // before the next reduction writes
    return total;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
row_program(const float* __restrict__ x, float* __restrict__ y, const int rows, const int cols) {
    const int lane = threadIdx.x;
    extern __shared__ float row_cache[];
    const int row = blockIdx.x;
    const float* x_row = x + static_cast<size_t>(row) * cols;
    float* y_row = y + static_cast<size_t>(row) * cols;
    for (int c = lane; c < CACHED; c += BLOCK) {
        row_cache[c] = x_row[c];
    }
    float row_max = -INFINITY;
    #pragma unroll UNROLL
    for (int c = lane; c < cols; c += BLOCK) {
        const float x_c = c < CACHED ? row_cache[c] : x_row[c];
        row_max = fmaxf(row_max, x_c);
    }
    row_max = reduce_max(row_max);
    float row_sum = 0.0f;
    #pragma unroll UNROLL
    for (int c = lane; c < cols; c += BLOCK) {
        const float x_c = c < CACHED ? row_cache[c] : x_row[c];
        row_sum += term2(x_c, row_max);
    }
    row_sum = reduce_sum(row_sum);
    #pragma unroll UNROLL
    for (int c = lane; c < cols; c += BLOCK) {
        const float x_c = c < CACHED ? row_cache[c] : x_row[c];
        y_row[c] = compute(x_c, row_max, row_sum);
    }
}
