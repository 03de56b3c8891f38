// Sums of parts of a vector: the first stage of a sum.

// A tree with doubling strides: every second thread that is left adds (`Modulo`), or the first ones, at that stride.
template <bool Modulo>
__global__ void doubling(const float* x, float* y) {
    __shared__ float part[256];
    unsigned thread = threadIdx.x;
    part[thread] = x[blockIdx.x * 256 + thread];
    __syncthreads();
    for (unsigned stride = 1; stride < blockDim.x; stride *= 2) {
        if constexpr (Modulo) {
            if (thread % (2 * stride) == 0) part[thread] += part[thread + stride];
        } else {
            unsigned at = 2 * stride * thread;
            if (at < blockDim.x) part[at] += part[at + stride];
        }
        __syncthreads();
    }
    if (thread == 0) y[blockIdx.x] = part[0];
}

__device__ void last_warp(volatile float* part, unsigned thread) {
    part[thread] += part[thread + 32];
    part[thread] += part[thread + 16];
    part[thread] += part[thread + 8];
    part[thread] += part[thread + 4];
    part[thread] += part[thread + 2];
    part[thread] += part[thread + 1];
}

// Halving strides; each thread brings `Each` elements; the last warp goes on without barriers.
template <int Each, bool Last>
__global__ void halving(const float* x, float* y) {
    __shared__ float part[256];
    unsigned thread = threadIdx.x, at = blockIdx.x * (blockDim.x * Each) + thread;
    part[thread] = Each == 1 ? x[at] : x[at] + x[at + blockDim.x];
    __syncthreads();
    for (unsigned stride = blockDim.x / 2; stride > (Last ? 32 : 0); stride >>= 1) {
        if (thread < stride) part[thread] += part[thread + stride];
        __syncthreads();
    }
    if constexpr (Last) {
        if (thread < 32) last_warp(part, thread);
    }
    if (thread == 0) y[blockIdx.x] = part[0];
}

// The tree unrolled; `Each` elements a thread, summed into shared memory first.
template <int Each>
__global__ void unrolled(const float* x, float* y) {
    __shared__ float part[256];
    unsigned thread = threadIdx.x, at = blockIdx.x * (256 * Each) + thread;
    if constexpr (Each == 2) {
        part[thread] = x[at] + x[at + 256];
    } else {
        part[thread] = 0;
#pragma unroll
        for (int i = 0; i < Each; i++) part[thread] += x[at + i * 256];
    }
    __syncthreads();
    if (thread < 128) part[thread] += part[thread + 128];
    __syncthreads();
    if (thread < 64) part[thread] += part[thread + 64];
    __syncthreads();
    if (thread < 32) last_warp(part, thread);
    if (thread == 0) y[blockIdx.x] = part[0];
}

__device__ __forceinline__ float warp_sum(float sum) {
    for (int apart = 16; apart; apart /= 2) sum += __shfl_down_sync(0xffffffff, sum, apart);
    return sum;
}

// By shuffles, one shared value a warp.
template <int Each>
__global__ void shuffled(const float* x, float* y) {
    __shared__ float part[32];
    unsigned thread = threadIdx.x, at = blockIdx.x * (256 * Each) + thread;
    float sum = 0;
#pragma unroll
    for (int i = 0; i < Each; i++) sum += x[at + i * 256];
    sum = warp_sum(sum);
    if (thread % 32 == 0) part[thread / 32] = sum;
    __syncthreads();
    sum = thread < 8 ? part[thread] : 0;
    if (thread < 32) sum = warp_sum(sum);
    if (thread == 0) y[blockIdx.x] = sum;
}

// One wave of blocks that walk over the vector in steps of the grid, sixteen bytes at a time.
__global__ void one_wave(const float* x, float* y, int n) {
    __shared__ float part[32];
    const float4* wide = (const float4*)x;
    float sums[4] = {};
    for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < n / 4; at += gridDim.x * blockDim.x) {
        float4 value = wide[at];
        sums[0] += value.x;
        sums[1] += value.y;
        sums[2] += value.z;
        sums[3] += value.w;
    }
    float sum = warp_sum(sums[0] + sums[1] + sums[2] + sums[3]);
    unsigned thread = threadIdx.x;
    if (thread % 32 == 0) part[thread / 32] = sum;
    __syncthreads();
    sum = thread < 8 ? part[thread] : 0;
    if (thread < 32) sum = warp_sum(sum);
    if (thread == 0) y[blockIdx.x] = sum;
}
