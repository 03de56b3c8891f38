// Found by python -m benchmarks.gpu.variants --task reduction --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 21.28 us (estimated), 398 times as fast as the baseline (estimated).
// A reduction of all elements: a partial result a block, then one block combines them.
// features: two_pass_reduction, grid_stride_loop, block_size_tuning, read_only_cache
//@ tune BLOCK = 256 in 128, 256, 512
//@ define GRID = 1056
//@ define BLOCKS = min(ceil_div(n, BLOCK), GRID)
//@ scratch partial_sum: float32[BLOCKS]
//@ launch reduce<<<BLOCKS, BLOCK>>>(x, partial_sum, n)
//@ launch finish<<<1, BLOCK>>>(partial_sum, out, BLOCKS)

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
reduce(const float* __restrict__ x, float* partial_sum, const int n) {
    float running_sum = 0.0f;
    for (int i = blockIdx.x * BLOCK + threadIdx.x; i < n; i += gridDim.x * BLOCK) {
        running_sum += x[i];
    }
    running_sum = reduce_sum(running_sum);
    if (threadIdx.x == 0) {
        partial_sum[blockIdx.x] = running_sum;
    }
}

extern "C" __global__ void __launch_bounds__(BLOCK)
finish(const float* partial_sum, float* out, const int count) {
    float running_sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += BLOCK) {
        running_sum += partial_sum[i];
    }
    running_sum = reduce_sum(running_sum);
    if (threadIdx.x == 0) {
        out[0] = running_sum;
    }
}
