//@ launch normalise<<<ceil_div(rows, 4), dim3(32, 4)>>>(x, g, y, rows, cols)

__device__ float total(float v) {
    for (int lanes = 16; lanes > 0; lanes /= 2) {
        v += __shfl_xor_sync(0xffffffffu, v, lanes);
    }
    return v;
}

extern "C" __global__ void normalise(const float* x, const float* g, float* y, int rows, int cols) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) {
        return;
    }
    const float* in = x + row * cols;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < cols; i += 32) {
        sum += in[i];
    }
    float mean = total(sum) / cols;
    float square = 0.0f;
    for (int i = threadIdx.x; i < cols; i += 32) {
        square += (in[i] - mean) * (in[i] - mean);
    }
    float scale = rsqrtf(total(square) / cols + 1e-5f);
    for (int i = threadIdx.x; i < cols; i += 32) {
        y[row * cols + i] = (in[i] - mean) * scale * g[i];
    }
}
