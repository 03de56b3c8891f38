// Decoupled look-back with flags beside aggregates and prefixes: every flag is behind a fence, and a fence behind every flag.
//@ grid 6, block 32, n 192, io 18, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    volatile int* flag = io;
    int *part = io + 6, *prefix = io + 12;
    __shared__ int before;
    int t = threadIdx.x, b = blockIdx.x, v = x[b * 32 + t];
    for (int d = 1; d < 32; d *= 2) {
        int w = __shfl_up_sync(~0u, v, d);
        if (t >= d) v += w;
    }
    if (t == 31) {
        int sum = 0;
        if (b > 0) {
            part[b] = v;
            __threadfence();
            flag[b] = 1;
            for (int p = b - 1; p >= 0; --p) {
                int seen;
                do seen = flag[p]; while (seen == 0);
                __threadfence();
                sum += seen == 2 ? prefix[p] : part[p];
                if (seen == 2) break;
            }
        }
        prefix[b] = sum + v;
        __threadfence();
        flag[b] = 2;
        before = sum;
    }
    __syncthreads();
    y[b * 32 + t] = before + v;
}
