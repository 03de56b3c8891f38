// Keys are claimed by compare-and-swap, counted by atomics, and read behind a barrier over the grid.
//@ cooperative grid 2, block 32, n 64, io 129, expect counts
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int *key = io + 1, *count = io + 33, i = blockIdx.x * 32 + threadIdx.x, v = x[i] % 16 + 1;
    for (int at = v * 7 % 32;; at = (at + 1) % 32) {
        int found = atomicCAS(&key[at], 0, v);
        if (found == 0 || found == v) { atomicAdd(&count[at], 1); break; }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(io, 1);
        while (*(volatile int*)io < 2) {}
        __threadfence();
    }
    __syncthreads();
    for (int at = v * 7 % 32;; at = (at + 1) % 32) {
        if (key[at] == v) { y[i] = count[at]; break; }
    }
}
