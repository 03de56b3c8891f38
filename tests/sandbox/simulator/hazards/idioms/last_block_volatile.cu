// The CUDA C++ Programming Guide's own last block ("Memory Fence Functions"): volatile parts, no fence for the reader.
//@ grid 6, block 32, n 192, io 8, expect total
extern "C" __global__ void k(const int* x, int* y, volatile int* io, int n) {
    __shared__ bool last;
    int t = threadIdx.x, v = x[blockIdx.x * 32 + t];
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
    if (t == 0) {
        io[1 + blockIdx.x] = v;
        __threadfence();
        last = atomicInc((unsigned*)io, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (last) {
        v = t < 6 ? io[1 + t] : 0;
        for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
        if (t == 0) y[0] = v;
    }
}
