// Every thread fences what it wrote, a barrier, one ticket a block, a barrier, and every thread fences before it reads.
//@ grid 4, block 64, n 256, io 257, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ bool last;
    __shared__ int sum;
    int t = threadIdx.x;
    io[1 + blockIdx.x * 64 + t] = x[blockIdx.x * 64 + t];
    if (t == 0) sum = 0;
    __threadfence();
    __syncthreads();
    if (t == 0) last = atomicAdd(io, 1) == gridDim.x - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    int v = 0;
    for (int b = 0; b < 4; ++b) v += io[1 + b * 64 + (t ^ 5)];
    atomicAdd(&sum, v);
    __syncthreads();
    if (t == 0) y[0] = sum;
}
