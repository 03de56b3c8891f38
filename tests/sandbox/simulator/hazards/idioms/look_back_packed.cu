// Decoupled look-back whose flag and value travel in one word, so that no fence is needed.
//@ grid 6, block 32, n 192, io 12, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    volatile unsigned long long* state = (volatile unsigned long long*)io;
    __shared__ int before;
    int t = threadIdx.x, b = blockIdx.x, v = x[b * 32 + t];
    for (int d = 1; d < 32; d *= 2) {
        int w = __shfl_up_sync(~0u, v, d);
        if (t >= d) v += w;
    }
    if (t == 31) {
        state[b] = (b == 0 ? 2ull : 1ull) << 32 | (unsigned)v;
        int sum = 0;
        for (int p = b - 1; p >= 0; --p) {
            unsigned long long found;
            do found = state[p]; while (found >> 32 == 0);
            sum += (int)(unsigned)found;
            if (found >> 32 == 2) break;
        }
        if (b > 0) state[b] = 2ull << 32 | (unsigned)(sum + v);
        before = sum;
    }
    __syncthreads();
    y[b * 32 + t] = before + v;
}
