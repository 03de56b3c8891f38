// Found by python -m benchmarks.gpu.variants --task relu --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 39.72 us (estimated), 0.998 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: block_size_tuning, read_only_cache
//@ tune BLOCK = 128 in 128, 256, 512
//@ launch elementwise<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, n)

__device__ __forceinline__ float compute(const float x) {
    return fmaxf(x, 0.0f);
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* __restrict__ x, float* __restrict__ y, const int n) {
    const int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) {
        y[i] = compute(x[i]);
    }
}
