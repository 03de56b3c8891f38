// Found by python -m benchmarks.gpu.variants --task relu --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 34.99 us (estimated), 1.13 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: vectorized_loads, grid_stride_loop, read_only_cache
//@ define BLOCK = 256
//@ define WIDTH = 4
//@ tune GRID = 1056 in 528, 1056
//@ launch elementwise<<<min(ceil_div(ceil_div(n, WIDTH), BLOCK), GRID), BLOCK>>>(x, y, n)

// WIDTH neighbours that move in one memory instruction.
template <typename T>
struct alignas(sizeof(T) * WIDTH < 16 ? sizeof(T) * WIDTH : 16) Pack {
    T lane[WIDTH];
};

__device__ __forceinline__ float compute(const float x) {
    return fmaxf(x, 0.0f);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* __restrict__ x, float* __restrict__ y, const int n) {
    const int vectors = n / WIDTH;
    for (int v = blockIdx.x * BLOCK + threadIdx.x; v < vectors; v += gridDim.x * BLOCK) {
        const Pack<float> x_pack = reinterpret_cast<const Pack<float>*>(x)[v];
        Pack<float> y_result;
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            y_result.lane[k] = compute(x_pack.lane[k]);
        }
        reinterpret_cast<Pack<float>*>(y)[v] = y_result;
    }
    const int tail = n / WIDTH * WIDTH + blockIdx.x * BLOCK + threadIdx.x;
    if (tail < n) {
        y[tail] = compute(x[tail]);
    }
}
