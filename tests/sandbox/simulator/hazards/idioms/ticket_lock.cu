// A fair lock: tickets are drawn, and served one after another.
//@ grid 5, block 32, n 160, io 3, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x, v = x[blockIdx.x * 32 + t];
    for (int d = 16; d > 0; d /= 2) v += __shfl_xor_sync(~0u, v, d);
    if (t == 0) {
        int mine = atomicAdd(&io[0], 1);
        while (*(volatile int*)&io[1] != mine) {}
        __threadfence();
        io[2] += v;
        y[0] = io[2];
        __threadfence();
        *(volatile int*)&io[1] = mine + 1;
    }
}
