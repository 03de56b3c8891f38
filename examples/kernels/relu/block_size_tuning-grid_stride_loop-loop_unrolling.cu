// Found by python -m benchmarks.gpu.variants --task relu --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 39.32 us (estimated), 1.01 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: grid_stride_loop, loop_unrolling, block_size_tuning
//@ tune BLOCK = 256 in 128, 256, 512
//@ define UNROLL = 4
//@ define GRID = 1056
//@ launch elementwise<<<min(ceil_div(n, BLOCK), GRID), BLOCK>>>(x, y, n)

__device__ __forceinline__ float compute(const float x) {
    return fmaxf(x, 0.0f);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* x, float* y, const int n) {
    #pragma unroll UNROLL
    for (int i = blockIdx.x * BLOCK + threadIdx.x; i < n; i += gridDim.x * BLOCK) {
        y[i] = compute(x[i]);
    }
}
