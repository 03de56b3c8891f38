// Few blocks take chunks of a scan in turn, and wait inside that loop for the flag of the chunk before, then read its sum.
//@ grid 3, block 64, n 448, io 32, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    volatile int* flags = io;
    int* sums = io + 12;
    __shared__ int taken, before, warps[2];
    int t = threadIdx.x;
    while (true) {
        if (t == 0) taken = atomicAdd(&io[24], 1);
        __syncthreads();
        int c = taken;
        if (c * 64 >= n) return;
        int v = x[c * 64 + t];
        for (int d = 1; d < 32; d *= 2) {
            int w = __shfl_up_sync(~0u, v, d);
            if (t % 32 >= d) v += w;
        }
        if (t % 32 == 31) warps[t / 32] = v;
        __syncthreads();
        if (t == 0) {
            int sum = 0;
            if (c > 0) {
                while (flags[c - 1] == 0) {}
                __threadfence();
                sum = sums[c - 1];
            }
            before = sum;
            sums[c] = sum + warps[0] + warps[1];
            __threadfence();
            flags[c] = 1;
        }
        __syncthreads();
        y[c * 64 + t] = before + v + (t >= 32 ? warps[0] : 0);
    }
}
