// Each half of a warp synchronises by itself.
//@ grid 1, block 64, n 64, io 64, expect halves
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[64];
    int t = threadIdx.x;
    unsigned mask = t & 16 ? 0xffff0000u : 0x0000ffffu;
    s[t] = x[t];
    __syncwarp(mask);
    int v = s[t ^ 15];
    __syncwarp(mask);
    s[t] = v;
    __syncwarp(mask);
    io[t] = s[t ^ 3];
    __syncwarp(mask);
    y[t] = io[t ^ 4];
}
