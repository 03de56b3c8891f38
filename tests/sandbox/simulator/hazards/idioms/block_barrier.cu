// cuda::barrier, arriving first and waiting later.
//@ grid 2, block 64, n 128, io 1, expect swapped33
#include <cuda/barrier>
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ cuda::barrier<cuda::thread_scope_block> bar;
    __shared__ int s[64];
    int t = threadIdx.x, i = blockIdx.x * 64 + t;
    if (t == 0) init(&bar, 64);
    __syncthreads();
    s[t] = x[i];
    bar.wait(bar.arrive());
    int v = s[t ^ 32];
    bar.arrive_and_wait();
    s[t] = v;
    bar.arrive_and_wait();
    y[i] = s[t ^ 1];
}
