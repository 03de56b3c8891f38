// Lanes of a warp exchange through shared memory, then through global memory.
//@ grid 2, block 64, n 128, io 128, expect swapped1
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int s[64];
    int t = threadIdx.x, i = blockIdx.x * 64 + t;
    s[t] = x[i];
    __syncwarp();
    int v = s[t ^ 1];
    __syncwarp();
    s[t] = v;
    __syncwarp();
    io[i] = s[t ^ 2];
    __syncwarp();
    y[i] = io[i ^ 8];
}
