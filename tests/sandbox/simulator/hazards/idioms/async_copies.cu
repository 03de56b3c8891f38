// Two stages of asynchronous copies.
//@ grid 2, block 32, n 256, io 1, expect double
#include <cuda_pipeline.h>
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[2][32];
    int t = threadIdx.x, first = blockIdx.x * 128;
    __pipeline_memcpy_async(&s[0][t], x + first + t, 4);
    __pipeline_commit();
    for (int r = 0; r < 4; ++r) {
        if (r < 3) __pipeline_memcpy_async(&s[(r + 1) % 2][t], x + first + 32 * (r + 1) + t, 4);
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        y[first + 32 * r + (t ^ 7)] = 2 * s[r % 2][t ^ 7];
        __syncthreads();
    }
}
