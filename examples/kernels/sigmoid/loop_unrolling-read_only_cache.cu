// Found by python -m benchmarks.gpu.variants --task sigmoid --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 41.46 us (estimated), 0.999 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: loop_unrolling, read_only_cache
//@ define BLOCK = 256
//@ tune UNROLL = 4 in 2, 4
//@ launch elementwise<<<ceil_div(n, BLOCK * UNROLL), BLOCK>>>(x, y, n)

__device__ __forceinline__ float compute(const float x) {
    return 1.0f / (1.0f + expf(-x));
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* __restrict__ x, float* __restrict__ y, const int n) {
    #pragma unroll
    for (int step = 0; step < UNROLL; ++step) {
        const int i = (blockIdx.x * UNROLL + step) * BLOCK + threadIdx.x;
        if (i < n) {
            y[i] = compute(x[i]);
        }
    }
}
