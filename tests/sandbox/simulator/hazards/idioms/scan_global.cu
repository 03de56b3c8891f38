// A scan in place in global memory by one block, which its own barriers order.
//@ grid 1, block 64, n 64, io 1, expect scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    int t = threadIdx.x;
    y[t] = x[t];
    __syncthreads();
#pragma unroll
    for (int d = 1; d < 64; d *= 2) {
        int v = t >= d ? y[t - d] : 0;
        __syncthreads();
        y[t] += v;
        __syncthreads();
    }
}
