// Last block done: partial sums, a fence, a ticket; who takes the last one adds them up.
//@ grid 6, block 64, n 384, io 8, expect total
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[64];
    __shared__ bool last;
    int t = threadIdx.x;
    s[t] = x[blockIdx.x * 64 + t];
    for (int d = 32; d > 0; d /= 2) {
        __syncthreads();
        if (t < d) s[t] += s[t + d];
    }
    if (t == 0) {
        io[1 + blockIdx.x] = s[0];
        __threadfence();
        last = atomicAdd(io, 1) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (last && t < 6) s[t] = io[1 + t];
    __syncthreads();
    if (last && t == 0) {
        int sum = 0;
        for (int b = 0; b < 6; ++b) sum += s[b];
        y[0] = sum;
    }
}
