// Blocks draw their work from a counter.
//@ grid 3, block 32, n 256, io 1, expect double
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int next;
    for (;;) {
        if (threadIdx.x == 0) next = atomicAdd(io, 1);
        __syncthreads();
        int i = next * 32 + threadIdx.x;
        if (next * 32 >= n) break;
        y[i] = 2 * x[i];
        __syncthreads();
    }
}
