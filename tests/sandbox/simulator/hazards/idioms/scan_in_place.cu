// A scan in place in shared memory: read, barrier, write, barrier.
//@ grid 1, block 128, n 128, io 1, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[128];
    int t = threadIdx.x;
    s[t] = x[t];
    __syncthreads();
    for (int d = 1; d < 128; d *= 2) {
        int v = t >= d ? s[t - d] : 0;
        __syncthreads();
        s[t] += v;
        __syncthreads();
    }
    y[t] = s[t];
}
