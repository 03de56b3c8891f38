// Few blocks take chunks of a scan in turn, and wait inside that loop for what the chunks before published in one word.
//@ grid 3, block 32, n 224, io 16, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    unsigned long long* state = (unsigned long long*)io;
    __shared__ int taken, before;
    int t = threadIdx.x;
    while (true) {
        if (t == 0) taken = atomicAdd(&io[15], 1);
        __syncthreads();
        int c = taken;
        if (c * 32 >= n) return;
        int v = x[c * 32 + t];
        for (int d = 1; d < 32; d *= 2) {
            int w = __shfl_up_sync(~0u, v, d);
            if (t >= d) v += w;
        }
        int total = __shfl_sync(~0u, v, 31);
        if (t == 0) {
            unsigned long long found = 0;
            while (c > 0 && found >> 32 == 0)
                asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(found) : "l"(state + c - 1) : "memory");
            before = (int)(unsigned)found;
            found = 1ull << 32 | (unsigned)(before + total);
            asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(state + c), "l"(found) : "memory");
        }
        __syncthreads();
        y[c * 32 + t] = before + v;
    }
}
