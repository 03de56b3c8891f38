//@ launch row_mean<<<rows, 128>>>(x, y, cols)

extern "C" __global__ void row_mean(const float* x, float* y, int cols) {
    __shared__ float part[128];
    int t = threadIdx.x;
    float sum = 0;
    for (int i = t; i < cols; i += 128) sum += x[(size_t)blockIdx.x * cols + i];
    part[t] = sum;
    __syncthreads();
    for (int s = 64; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    if (t == 0) y[blockIdx.x] = part[0] / cols;
}
