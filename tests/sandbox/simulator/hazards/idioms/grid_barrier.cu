// A barrier over the grid by hand: barrier, fence, count, wait, fence, barrier; two rounds of neighbour sums.
//@ cooperative grid 4, block 32, n 128, io 130, expect ring2
__device__ void together(int* count, int goal) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(count, 1);
        while (*(volatile int*)count < goal) {}
        __threadfence();
    }
    __syncthreads();
}
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int i = blockIdx.x * 32 + threadIdx.x;
    int* t = io + 2;
    t[i] = x[i] + x[(i + 1) % n];
    together(io, 4);
    int v = t[i] + t[(i + n - 5) % n];
    together(io, 8);
    t[i] = v;
    together(io, 12);
    y[i] = t[(i + 64) % n];
}
