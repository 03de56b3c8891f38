//@ launch row_total<<<rows, 64>>>(x, total, cols)

extern "C" __global__ void row_total(const int* x, long long* total, int cols) {
    __shared__ long long part[64];
    int t = threadIdx.x;
    long long sum = 0;
    for (int i = t; i < cols; i += 64) sum += x[(size_t)blockIdx.x * cols + i];
    part[t] = sum;
    __syncthreads();
    for (int s = 32; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    if (t == 0) total[blockIdx.x] = part[0];
}
