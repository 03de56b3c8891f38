// Found by python -m benchmarks.gpu.variants --task reduction --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 35.43 us (estimated), 239 times as fast as the baseline (estimated).
// A reduction of all elements: a partial result a block, then one block combines them.
// features: two_pass_reduction, warp_shuffle_reduction, loop_unrolling
//@ define BLOCK = 256
//@ tune UNROLL = 4 in 2, 4
//@ define BLOCKS = ceil_div(n, BLOCK * UNROLL)
//@ scratch partial_sum: float32[BLOCKS]
//@ launch reduce<<<BLOCKS, BLOCK>>>(x, partial_sum, n)
//@ launch finish<<<1, BLOCK>>>(partial_sum, out, BLOCKS)

__device__ __forceinline__ float warp_sum(float value) {
    #pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
        value = value + __shfl_xor_sync(0xffffffff, value, offset);
    }
    return value;
}

__device__ __forceinline__ float reduce_sum(float value) {
    __shared__ float partial[BLOCK / 32];
    value = warp_sum(value);
    __syncthreads();  // the reduction before this one may still be read
    if (threadIdx.x % 32 == 0) {
        partial[threadIdx.x / 32] = value;
    }
    __syncthreads();
    float total = partial[0];
    #pragma unroll
    for (int i = 1; i < BLOCK / 32; ++i) {
        total = total + partial[i];
    }
    return total;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
reduce(const float* x, float* partial_sum, const int n) {
    float running_sum = 0.0f;
    #pragma unroll
    for (int step = 0; step < UNROLL; ++step) {
        const int i = (blockIdx.x * UNROLL + step) * BLOCK + threadIdx.x;
        if (i < n) {
            running_sum += x[i];
        }
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
