// Found by python -m benchmarks.gpu.variants --task vector_add --device sim:h200 --seed 1 --candidates 4 --depth 4
// 2026-11-28, sim:h200: 53.25 us (estimated), 0.999 times as fast as the baseline (estimated).
// Elementwise: every output element from the input elements at the same place.
// features: block_size_tuning, read_only_cache
//@ tune BLOCK = 128 in 128, 256, 512
//@ launch elementwise<<<ceil_div(n, BLOCK), BLOCK>>>(x, y, out, n)

__device__ __forceinline__ float compute(const float x, const float y) {
    return x + y;
}

extern "C" __global__ void __launch_bounds__(BLOCK)
elementwise(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ out, const int n) {
    const int i = blockIdx.x * BLOCK + threadIdx.x;
    if (i < n) {
        out[i] = compute(x[i], y[i]);
    }
}
