//@ define THREADS = 256
//@ define BLOCKS = min(ceil_div(n, THREADS), 2048)
//@ launch clear<<<1, 1>>>(out)
//@ launch reduce<<<BLOCKS, THREADS>>>(x, out, n)

extern "C" __global__ void clear(float* out) { out[0] = 0.0f; }

__device__ float across_warp(float sum) {
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffffu, sum, distance);
    return sum;
}

// Shuffles within warps, one barrier, shuffles across the warps' sums, and an atomic a block.
extern "C" __global__ void reduce(const float* x, float* out, int n) {
    __shared__ float partial[THREADS / 32];
    float sum = 0.0f;
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < n; i += gridDim.x * THREADS) sum += x[i];
    sum = across_warp(sum);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = across_warp(threadIdx.x < THREADS / 32 ? partial[threadIdx.x] : 0.0f);
        if (threadIdx.x == 0) atomicAdd(out, sum);
    }
}
