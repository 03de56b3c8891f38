// Found by python -m benchmarks.gpu.variants --task softmax --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 36.45 us (estimated), 1.06 times as fast as the baseline (estimated).
// A row program: reductions over each row, then what follows from them; a block works on a row.
// features: two_pass_reduction, vectorized_loads, register_blocking
//@ define BLOCK = 256
//@ define WIDTH = 4 if cols % 4 == 0 else 1
//@ define ITEMS = min(ceil_div(cols // WIDTH, BLOCK), 32 // WIDTH)
//@ launch row_program<<<rows, BLOCK>>>(x, y, rows, cols)

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
row_program(const float* x, float* y, const int rows, const int cols) {
    const int lane = threadIdx.x;
    const int chunks = cols / WIDTH;
    const int row = blockIdx.x;
    const float* x_row = x + static_cast<size_t>(row) * cols;
    float* y_row = y + static_cast<size_t>(row) * cols;
    Pack<float> x_cache[ITEMS];
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int chunk = lane + item * BLOCK;
        if (chunk < chunks) {
            x_cache[item] = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        }
    }
    float row_max = -INFINITY;
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int chunk = lane + item * BLOCK;
        if (chunk < chunks) {
            const Pack<float> x_c = x_cache[item];
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                row_max = fmaxf(row_max, x_c.lane[k]);
            }
        }
    }
    for (int chunk = lane + ITEMS * BLOCK; chunk < chunks; chunk += BLOCK) {  // what the registers do not hold
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            row_max = fmaxf(row_max, x_c.lane[k]);
        }
    }
    row_max = reduce_max(row_max);
    float row_sum = 0.0f;
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int chunk = lane + item * BLOCK;
        if (chunk < chunks) {
            const Pack<float> x_c = x_cache[item];
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                row_sum += term2(x_c.lane[k], row_max);
            }
        }
    }
    for (int chunk = lane + ITEMS * BLOCK; chunk < chunks; chunk += BLOCK) {  // what the registers do not hold
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            row_sum += term2(x_c.lane[k], row_max);
        }
    }
    row_sum = reduce_sum(row_sum);
    #pragma unroll
    for (int item = 0; item < ITEMS; ++item) {
        const int chunk = lane + item * BLOCK;
        if (chunk < chunks) {
            const Pack<float> x_c = x_cache[item];
            Pack<float> y_result;
            #pragma unroll
            for (int k = 0; k < WIDTH; ++k) {
                y_result.lane[k] = compute(x_c.lane[k], row_max, row_sum);
            }
            reinterpret_cast<Pack<float>*>(y_row)[chunk] = y_result;
        }
    }
    for (int chunk = lane + ITEMS * BLOCK; chunk < chunks; chunk += BLOCK) {  // what the registers do not hold
        const Pack<float> x_c = reinterpret_cast<const Pack<float>*>(x_row)[chunk];
        Pack<float> y_result;
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            y_result.lane[k] = compute(x_c.lane[k], row_max, row_sum);
        }
        reinterpret_cast<Pack<float>*>(y_row)[chunk] = y_result;
    }
}
