// Found by python -m benchmarks.gpu.variants --task vector_add --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 51.49 us (estimated), 1.03 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: vectorized_loads, grid_stride_loop, read_only_cache
//@ define BLOCK = 256
//@ define WIDTH = 4
//@ tune GRID = 1056 in 528, 1056
//@ launch elementwise<<<min(ceil_div(ceil_div(n, WIDTH), BLOCK), GRID), BLOCK>>>(x, y, out, n)

// WIDTH neighbours that move in one memory instruction.
template <typename T>
struct alignas(sizeof(T) * WIDTH < 16 ? sizeof(T) * WIDTH : 16) Pack {
    T lane[WIDTH];
};

__device__ __forceinline__ float compute(const float x, const float y) {
    return x + y;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ out, const int n) {
    const int vectors = n / WIDTH;
    for (int v = blockIdx.x * BLOCK + threadIdx.x; v < vectors; v += gridDim.x * BLOCK) {
        const Pack<float> x_pack = reinterpret_cast<const Pack<float>*>(x)[v];
        const Pack<float> y_pack = reinterpret_cast<const Pack<float>*>(y)[v];
        Pack<float> out_result;
        #pragma unroll
        for (int k = 0; k < WIDTH; ++k) {
            out_result.lane[k] = compute(x_pack.lane[k], y_pack.lane[k]);
        }
        reinterpret_cast<Pack<float>*>(out)[v] = out_result;
    }
    const int tail = n / WIDTH * WIDTH + blockIdx.x * BLOCK + threadIdx.x;
    if (tail < n) {
        out[tail] = compute(x[tail], y[tail]);
    }
}
