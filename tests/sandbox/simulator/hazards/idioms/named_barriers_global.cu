// Two pairs of warps, each pair with a barrier of its own, exchange through global memory.
//@ grid 2, block 128, n 256, io 256, expect swapped33
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, i = blockIdx.x * 128 + t;
    io[i] = x[i];
    asm volatile("bar.sync %0, 64;" ::"r"(1 + t / 64) : "memory");
    int v = io[i ^ 32];
    asm volatile("bar.sync %0, 64;" ::"r"(1 + t / 64) : "memory");
    io[i] = v;
    __syncwarp();
    y[i] = io[i ^ 1];
}
