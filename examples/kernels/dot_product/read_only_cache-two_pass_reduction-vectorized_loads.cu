// Found by python -m benchmarks.gpu.variants --task dot_product --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 38.61 us (estimated), 220 times as fast as the baseline (estimated).
// A reduction of all elements: a partial result a block, then one block combines them.
// features: two_pass_reduction, vectorized_loads, read_only_cache
//@ define BLOCK = 256
//@ define WIDTH = 4
//@ define BLOCKS = ceil_div(ceil_div(n, WIDTH), BLOCK)
//@ scratch partial_sum: float32[BLOCKS]
//@ launch reduce<<<BLOCKS, BLOCK>>>(x, y, partial_sum, n)
//@ launch finish<<<1, BLOCK>>>(partial_sum, out, BLOCKS)

// WIDTH neighbours that move in one memory instruction.
template <typename T>
struct alignas(sizeof(T) * WIDTH < 16 ? sizeof(T) * WIDTH : 16) Pack {
    T lane[WIDTH];
};

__device__ __forceinline__ float term(const float x, const float y) {
    return x * y;
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
reduce(const float* __restrict__ x, const float* __restrict__ y, float* partial_sum, const int n) {
    float running_sum = 0.0f;
    const int vectors = n / WIDTH;
    const int v = blockIdx.x * BLOCK + threadIdx.x;
    if (v < vectors) {
        const Pack<float> x_pack = reinterpret_cast<const Pack<float>*>(x)[v];
        const Pack<float> y_pack = reinterpret_cast<const Pack<float>*>(y)[v];
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            running_sum += term(x_pack.lane[k], y_pack.lane[k]);
        }
    }
    const int tail = n / WIDTH * WIDTH + blockIdx.x * BLOCK + threadIdx.x;
    if (tail < n) {
        running_sum += term(x[tail], y[tail]);
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
