//@ launch row_range<<<rows, 32>>>(x, low, high, cols)

extern "C" __global__ void row_range(const float* x, float* low, float* high, int cols) {
    float least = INFINITY, most = -INFINITY;
    for (int i = threadIdx.x; i < cols; i += 32) {
        least = fminf(least, x[(size_t)blockIdx.x * cols + i]);
        most = fmaxf(most, x[(size_t)blockIdx.x * cols + i]);
    }
    for (int s = 16; s > 0; s /= 2) {
        least = fminf(least, __shfl_xor_sync(0xffffffff, least, s));
        most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, s));
    }
    if (threadIdx.x == 0) {
        low[blockIdx.x] = least;
        high[blockIdx.x] = most;
    }
}
