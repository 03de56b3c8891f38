// One thread of a block at a time adds to a plain sum, under a lock.
//@ grid 6, block 32, n 192, io 2, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, v = x[blockIdx.x * 32 + t];
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
    if (t == 0) {
        while (atomicCAS(io, 0, 1) != 0) {}
        __threadfence();
        io[1] += v;
        y[0] = io[1];
        __threadfence();
        atomicExch(io, 0);
    }
}
