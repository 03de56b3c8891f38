//@ launch scan<<<rows, 64>>>(x, y)

extern "C" __global__ void scan(const float* x, float* y) {
    __shared__ float s[2][64];
    int t = threadIdx.x;
    int from = 0;
    s[0][t] = x[blockIdx.x * 64 + t];
    __syncthreads();
    for (int step = 1; step < 64; step *= 2) {
        s[1 - from][t] = t >= step ? s[from][t] + s[from][t - step] : s[from][t];
        from = 1 - from;
        __syncthreads();  // step
    }
    y[blockIdx.x * 64 + t] = s[from][t];
}
