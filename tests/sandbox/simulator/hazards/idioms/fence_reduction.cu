// CUDA's sample threadFenceReduction in small: all threads fence, thread 0 takes the ticket, plain reads, counter set back.
//@ grid 6, block 64, n 384, io 8, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[64];
    __shared__ bool last;
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    for (int d = 32; d > 0; d /= 2) {
        if (t < d) s[t] += s[t + d];
        __syncthreads();
    }
    if (t == 0) io[1 + blockIdx.x] = s[0];
    __threadfence();
    if (t == 0) last = atomicInc((unsigned*)io, gridDim.x) == gridDim.x - 1;
    __syncthreads();
    if (last) {
        s[t] = t < 6 ? io[1 + t] : 0;
        __syncthreads();
        for (int d = 32; d > 0; d /= 2) {
            if (t < d) s[t] += s[t + d];
            __syncthreads();
        }
        if (t == 0) {
            y[0] = s[0];
            io[1] = s[0];
            io[0] = 0;
        }
    }
}
