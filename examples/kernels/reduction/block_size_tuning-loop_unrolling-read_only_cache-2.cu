// Found by python -m benchmarks.gpu.variants --task reduction --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 32.35 us (estimated), 262 times as fast as the baseline (estimated).
// A sum of all elements: every block adds its part to the output.
// features: loop_unrolling, block_size_tuning, read_only_cache
//@ tune BLOCK = 256 in 128, 256, 512
//@ define UNROLL = 4
//@ define GRID = 1056
//@ launch zero<<<1, 1>>>(out)
//@ launch reduce<<<min(ceil_div(n, BLOCK), GRID), BLOCK>>>(x, out, n)

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

extern "C" __global__ void __launch_bounds__(1)
zero(float* out) {
    out[0] = 0;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
reduce(const float* __restrict__ x, float* out, const int n) {
    float running_sum = 0.0f;
    #pragma unroll UNROLL
    for (int i = blockIdx.x * BLOCK + threadIdx.x; i < n; i += gridDim.x * BLOCK) {
        running_sum += x[i];
    }
    running_sum = reduce_sum(running_sum);
    if (threadIdx.x == 0) {
        atomicAdd(out, running_sum);
    }
}
