// A barrier over the grid of one flag a block: block 0 gathers them all and lets everybody go.
//@ cooperative grid 4, block 32, n 128, io 136, expect ring1
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    volatile int *come = io, *go = io + 4;
    int t = threadIdx.x, b = blockIdx.x, i = b * 32 + t;
    int* s = io + 8;
    s[i] = x[i] + x[(i + 1) % n];
    __syncthreads();
    if (t == 0) { __threadfence(); come[b] = 1; }
    if (b == 0) {
        if (t < 4) { while (come[t] == 0) {} __threadfence(); }
        __syncthreads();
        if (t < 4) { __threadfence(); go[t] = 1; }
    }
    if (t == 0) { while (go[b] == 0) {} __threadfence(); }
    __syncthreads();
    y[i] = s[(i + 64) % n];
}
