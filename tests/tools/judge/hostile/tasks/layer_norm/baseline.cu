//@ launch layer_norm<<<rows, 128>>>(x, y, cols)

__device__ float block_sum(float value, float* part) {
    int t = threadIdx.x;
    part[t] = value;
    __syncthreads();
    for (int s = 64; s > 0; s /= 2) {
        if (t < s) part[t] += part[t + s];
        __syncthreads();
    }
    value = part[0];
    __syncthreads();
    return value;
}

extern "C" __global__ void layer_norm(const float* x, float* y, int cols) {
    __shared__ float part[128];
    const float* row = x + (size_t)blockIdx.x * cols;
    float sum = 0;
    for (int i = threadIdx.x; i < cols; i += 128) sum += row[i];
    float mean = block_sum(sum, part) / cols;
    float squares = 0;
    for (int i = threadIdx.x; i < cols; i += 128) squares += (row[i] - mean) * (row[i] - mean);
    float scale = rsqrtf(block_sum(squares, part) / cols + 1e-5f);
    for (int i = threadIdx.x; i < cols; i += 128) y[(size_t)blockIdx.x * cols + i] = (row[i] - mean) * scale;
}
