// A warp hands over to the next one by a volatile flag in shared memory and fences of the block.
//@ grid 2, block 128, n 256, io 1, expect block_scan
extern "C" __global__ void k(const int* x, int* y, int* io, int n) {
    __shared__ int total[4];
    __shared__ volatile int flag[4];
    int t = threadIdx.x, lane = t % 32, w = t / 32, i = blockIdx.x * 128 + t, v = x[i], before = 0;
    if (t < 4) flag[t] = 0;
    __syncthreads();
    for (int d = 1; d < 32; d *= 2) {
        int u = __shfl_up_sync(~0u, v, d);
        if (lane >= d) v += u;
    }
    if (lane == 31) {
        if (w > 0) {
            while (flag[w - 1] == 0) {}
            __threadfence_block();
            before = total[w - 1];
        }
        total[w] = before + v;
        __threadfence_block();
        flag[w] = 1;
    }
    y[i] = v + __shfl_sync(~0u, before, 31);
}
